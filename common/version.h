/* version.h - what every program of this build says it is. */
#ifndef VERSION_H
#define VERSION_H

#define KOEVAL_VERSION "0.1.0"

#endif
