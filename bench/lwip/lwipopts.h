/*
 * lwIP as it is measured. What is not here is as lwIP has it by default: checksums are made and checked by software, there
 * are no timestamps and no selective acknowledgments, and every second segment is acknowledged.
 */
#ifndef BENCH_LWIPOPTS_H
#define BENCH_LWIPOPTS_H

/* BUFFER, given to the compiler, is what may be in a connection's buffer, either way. */
#define TCP_WND BUFFER
#define TCP_SND_BUF BUFFER
#define LWIP_WND_SCALE 1
/* 65,535 << 5 is the first to be more than 1 MiB. */
#define TCP_RCV_SCALE 5
#define TCP_MSS 1460

/* Only the raw API, in a loop of one thread. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_IPV6 0

/* Nothing that a program in use would not have. */
#define LWIP_NOASSERT
#define LWIP_STATS 0

/* Memory that never ends: the C library's for what is sent, pools for the rest. A received frame fits into one pbuf. */
#define MEM_LIBC_MALLOC 1
#define MEM_ALIGNMENT 8
#define PBUF_POOL_SIZE 2048
#define PBUF_POOL_BUFSIZE 1536
#define MEMP_NUM_PBUF 2048
#define MEMP_NUM_TCP_SEG 4096
#define MEMP_NUM_TCP_PCB 64

/* For the sequential API, which is left out; its default is too large for what is checked. */
#define TCP_SNDLOWAT (TCP_SND_BUF / 64)

#endif
