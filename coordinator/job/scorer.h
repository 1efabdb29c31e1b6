/* scorer.h - which judgement this program makes, as scores and boards name it.
 *
 * Responses are for ever, judgements have a version: whoever changes what metric.c or aggregate.c
 * answer raises SCORER_VERSION, and boards move to the new scores when all of them are there.  The
 * digest is over what the code answers to a fixed battery of items (a unit test holds it), so it
 * tells another judgement from another comment. */
#ifndef SCORER_H
#define SCORER_H

#define SCORER_NAME    "koeval"
#define SCORER_VERSION 1
#define SCORER_SHA256  "17f68d5ecdeb2b2c06451b64a0b4488cb4170cfa5c61cd75398d2eb5c26eab0f"

#endif
