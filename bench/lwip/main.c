/*
 * lwIP's part in bench/peers: a TAP, and one stream sent or received, or requests answered, with the raw API.
 *
 *     lwip TAP send|receive|answer wait|busy MILLISECONDS
 *
 * Says "ready" on a line when it listens, and goes on until it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

#if LWIP_VERSION_MAJOR != 2 || LWIP_VERSION_MINOR != 2 || LWIP_VERSION_REVISION != 1
#error "not the version that bench/peers/src/report.rs names"
#endif

enum { PORT = 45678, MTU = 1500, FRAME_LEN = MTU + SIZEOF_ETH_HDR, REQUEST_LEN = 64 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

u32_t sys_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)now.tv_sec * 1000 + (u32_t)(now.tv_nsec / 1000000);
}

/* The device. */

static int tap;

static void open_tap(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
        fail("a TAP");
    }
}

/* In one system call, of however many pbufs a frame is. */
static err_t put_frame(struct netif *netif, struct pbuf *frame) {
    struct iovec pieces[8];
    int count = 0;
    (void)netif;
    for (; frame != NULL && count < 8; frame = frame->next) {
        pieces[count++] = (struct iovec){.iov_base = frame->payload, .iov_len = frame->len};
    }
    return frame == NULL && writev(tap, pieces, count) >= 0 ? ERR_OK : ERR_IF;
}

/* Takes in all frames that there are, each read into the pbuf that lwIP gets. */
static void take_frames(struct netif *netif) {
    static struct pbuf *room;
    for (;;) {
        if (room == NULL && (room = pbuf_alloc(PBUF_RAW, FRAME_LEN, PBUF_POOL)) == NULL) {
            return;
        }
        ssize_t len = read(tap, room->payload, FRAME_LEN);
        if (len < 0 && errno == EAGAIN) {
            return;
        }
        if (len < 0) {
            fail("reading the TAP");
        }
        struct pbuf *frame = room;
        room = NULL;
        pbuf_realloc(frame, (u16_t)len);
        if (netif->input(frame, netif) != ERR_OK) {
            pbuf_free(frame);
        }
    }
}

static err_t set_up(struct netif *netif) {
    static const u8_t address[ETH_HWADDR_LEN] = {2, 0, 0, 0, 0, 2};
    memcpy(netif->hwaddr, address, sizeof address);
    netif->hwaddr_len = sizeof address;
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = MTU;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = put_frame;
    return ERR_OK;
}

/* What is sent: the octets of client.rs, twice, so that each stretch of half of it is in one piece. */

enum { PERIOD = 1 << 20 };
static u8_t octets[2 * PERIOD];

static void make_octets(void) {
    unsigned long long state = 0x9e3779b97f4a7c15;
    for (size_t at = 0; at < PERIOD; at += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(octets + at, &state, 8);
    }
    memcpy(octets + PERIOD, octets, PERIOD);
}

/* The one connection of a stream, and how far it has come. */
static struct {
    struct tcp_pcb *pcb;
    u64_t count;
    u32_t end;
    bool is_wrong;
} stream;
static u32_t span;

/* Fills the send buffer as long as it is time for that. The data is copied, as an application's that has it on its stack. */
static void send_on(void) {
    if (stream.pcb == NULL) {
        return;
    }
    if ((s32_t)(sys_now() - stream.end) >= 0) {
        tcp_close(stream.pcb);
        stream.pcb = NULL;
        return;
    }
    while (tcp_sndbuf(stream.pcb) > 0) {
        u16_t len = (u16_t)LWIP_MIN(tcp_sndbuf(stream.pcb), 0xffff);
        if (tcp_write(stream.pcb, octets + stream.count % PERIOD, len, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        stream.count += len;
    }
    tcp_output(stream.pcb);
}

/* How much came, or what is never true, for client.rs. */
static void say_count(struct tcp_pcb *pcb) {
    u8_t answer[8];
    for (int at = 0; at < 8; at++) {
        answer[at] = stream.is_wrong ? 0xff : (u8_t)(stream.count >> (56 - 8 * at));
    }
    tcp_write(pcb, answer, sizeof answer, TCP_WRITE_FLAG_COPY);
    tcp_close(pcb);
}

static err_t receive(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err) {
    (void)arg;
    (void)err;
    if (data == NULL) {
        say_count(pcb);
        return ERR_OK;
    }
    for (struct pbuf *piece = data; piece != NULL; piece = piece->next) {
        stream.is_wrong |= memcmp(piece->payload, octets + stream.count % PERIOD, piece->len) != 0;
        stream.count += piece->len;
    }
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

/* Answers a request, and closes after the client. The answer is that of exchange.rs. */
static err_t answer(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err) {
    (void)arg;
    (void)err;
    if (data == NULL) {
        return tcp_close(pcb);
    }
    u8_t octets[REQUEST_LEN];
    u16_t len = pbuf_copy_partial(data, octets, sizeof octets, 0);
    for (u16_t at = 0; at < len; at++) {
        octets[at] = (u8_t)~octets[at];
    }
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return tcp_write(pcb, octets, len, TCP_WRITE_FLAG_COPY);
}

static err_t begin_sending(void *arg, struct tcp_pcb *pcb, err_t err) {
    (void)arg;
    (void)err;
    tcp_nagle_disable(pcb);
    stream.pcb = pcb;
    stream.end = sys_now() + span;
    return ERR_OK;
}

static err_t begin_receiving(void *arg, struct tcp_pcb *pcb, err_t err) {
    (void)arg;
    (void)err;
    tcp_recv(pcb, receive);
    return ERR_OK;
}

static err_t begin_answering(void *arg, struct tcp_pcb *pcb, err_t err) {
    (void)arg;
    (void)err;
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, answer);
    return ERR_OK;
}

static void listen_for(const char *work) {
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP_ADDR_ANY, PORT) != ERR_OK || (pcb = tcp_listen(pcb)) == NULL) {
        fail("listening");
    }
    tcp_accept(pcb, !strcmp(work, "send") ? begin_sending : !strcmp(work, "receive") ? begin_receiving : begin_answering);
}

/* Until there is a frame, or lwIP has something to do. */
static void wait_for_frames(void) {
    struct pollfd waited = {.fd = tap, .events = POLLIN};
    u32_t most = sys_timeouts_sleeptime();
    poll(&waited, 1, (int)LWIP_MIN(most, 1000));
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "lwip TAP send|receive|answer wait|busy MILLISECONDS\n");
        return 2;
    }
    /* Who has started this ends it, or takes it along. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool is_busy = !strcmp(arguments[3], "busy");
    span = (u32_t)atol(arguments[4]);
    make_octets();
    open_tap(arguments[1]);
    lwip_init();
    struct netif netif;
    ip4_addr_t address, mask, gateway;
    IP4_ADDR(&address, 10, 69, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 0, 0, 0, 0);
    netif_add(&netif, &address, &mask, &gateway, NULL, set_up, netif_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    listen_for(arguments[2]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        take_frames(&netif);
        sys_check_timeouts();
        send_on();
        if (!is_busy) {
            wait_for_frames();
        }
    }
}
