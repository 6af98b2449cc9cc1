/* The provider: both of its ports. It answers a request with a stream, a word every `pace` ms. */
#define _GNU_SOURCE
#include "paced.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Provider {
    Peer peer;
    int port;
    char *in;
    size_t have, room;
    bool streaming;
    Caller *caller;                /* whose stream it is */
    unsigned stream;
    int next, end, cut;
    int64_t due;
    struct Provider *spare;
} Provider;

static Provider *spares;

#define HEAD_OF(STATUS, REST) "HTTP/1.1 " STATUS "\r\nx-request-id: req_streams\r\n" REST "\r\n\r\n"
#define EVENT(DELTA, FINISH)                                                                       \
    "data: {\"id\":\"chatcmpl-streams\",\"object\":\"chat.completion.chunk\",\"created\":1700000000," \
    "\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"choices\":[{\"index\":0,"     \
    "\"delta\":{" DELTA "},\"logprobs\":null,\"finish_reason\":" FINISH "}],\"usage\":null}\n\n"

static void release(Provider *p) {
    drop(&p->peer);
    p->have = 0, p->streaming = false;
    p->spare = spares, spares = p;
}

/* What does not go out at once meets a gateway that has stopped reading: given up. */
static bool say(Provider *p, const char *bytes, size_t length) {
    ssize_t gone = send(p->peer.fd, bytes, length, MSG_NOSIGNAL);
    if (gone == (ssize_t)length) return true;
    if (gone >= 0 || errno == EAGAIN) count.choked++;
    release(p);
    return false;
}

static bool say_event(Provider *p, const char *event, const char *before, const char *behind) {
    char out[1024];
    int length = snprintf(out, sizeof out, "%s%zx\r\n%s\r\n%s", before, strlen(event), event, behind);
    return say(p, out, (size_t)length);
}

/* The last word in a request, or -1. */
static int last_word(const char *body, size_t length) {
    for (const char *at = body + length; (at = memrchr(body, 'w', (size_t)(at - body)));) {
        char *end;
        if (at + 7 > body + length || at[1] < '0' || at[1] > '9') continue;
        long number = strtol(at + 1, &end, 10);
        if (end == at + 7) return (int)number;
    }
    return -1;
}

static void begin(Provider *p, const char *body, size_t length) {
    static const char OPENING[] =
        HEAD_OF("200 OK", "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked");
    unsigned slot, stream;
    const char *order = memmem(body, length, "stream=", 7);
    if (!order || sscanf(order, "stream=%u.%u length=%d cut=%d", &slot, &stream, &p->end, &p->cut) != 4
        || slot >= (unsigned)options.streams || p->end > MAX_WORDS) {
        static const char NO[] = HEAD_OF("400 Bad Request", "content-length: 0");
        say(p, NO, sizeof NO - 1);
        return;
    }
    count.requests[p->port]++;
    p->caller = &callers[slot], p->stream = stream;
    p->next = last_word(body, length) + 1;
    p->due = now();
    if (p->next) {
        count.continued++;
        p->cut = -1;
        if (p->caller->stream == stream) p->caller->seam = p->next;
    } else {
        p->due += (int64_t)draw((uint64_t)(options.pace * MS));
    }
    p->streaming = true;
    if (say_event(p, EVENT("\"role\":\"assistant\",\"content\":\"\"", "null"), OPENING, ""))
        after(&p->peer, p->due);
}

static void cut_off(Provider *p) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(p->peer.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    count.cuts++;
    release(p);
}

void next_word(Peer *provider) {
    Provider *p = (Provider *)provider;
    int64_t at = now();
    if (measuring) sample(&lateness, at - p->due);
    if (p->next == p->cut) {
        cut_off(p);
        return;
    }
    if (p->next >= p->end) {
        p->streaming = false;
        say_event(p, EVENT("", "\"stop\"") "data: [DONE]\n\n", "", "0\r\n\r\n");
        return;
    }
    char event[512];
    snprintf(event, sizeof event, EVENT("\"content\":\" w%06d\"", "null"), p->next);
    if (p->caller->stream == p->stream) p->caller->sent[p->next] = at;
    p->next++;
    p->due += options.pace * MS;
    if (say_event(p, event, "", "")) after(&p->peer, p->due);
}

void hear(Peer *provider) {
    Provider *p = (Provider *)provider;
    if (p->room - p->have < 4096) {
        p->room = p->room ? 2 * p->room : 8192;
        p->in = realloc(p->in, p->room + 1);
        if (!p->in) abort();
    }
    ssize_t got = recv(p->peer.fd, p->in + p->have, p->room - p->have, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        release(p);
        return;
    }
    p->have += (size_t)got;
    p->in[p->have] = 0;
    if (p->streaming) return;
    char *end = memmem(p->in, p->have, "\r\n\r\n", 4);
    if (!end) return;
    *end = 0;
    const char *field = strcasestr(p->in, "\r\ncontent-length:");
    size_t body = field ? strtoul(field + 17, NULL, 10) : 0, head = (size_t)(end + 4 - p->in);
    *end = '\r';
    if (p->have < head + body) return;
    p->have = 0;
    begin(p, p->in + head, body);
}

void welcome(Listener *listener) {
    int fd;
    while ((fd = accept4(listener->peer.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Provider *p = spares ? spares : calloc(1, sizeof *p);
        if (!p) abort();
        if (spares) spares = p->spare;
        p->peer.kind = PROVIDER;
        p->port = listener->port;
        watch(&p->peer, fd);
    }
}

void listen_on(Listener *listener, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) {
        perror("paced: cannot listen");
        exit(1);
    }
    watch(&listener->peer, fd);
}
