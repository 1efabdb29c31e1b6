/* Removed with the first real file of this folder. */
typedef int store_placeholder;
