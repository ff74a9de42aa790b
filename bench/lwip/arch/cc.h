/* What lwIP asks of a compiler: all as it is by default. */
#ifndef BENCH_CC_H
#define BENCH_CC_H

#include <endian.h>

#endif
