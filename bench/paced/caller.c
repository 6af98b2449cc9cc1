/* The callers: each reads one stream after the other and looks at every word. */
#define _GNU_SOURCE
#include "paced.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A caller whose stream has failed waits so long before its next. */
static const int64_t AGAIN = 100 * MS;

Caller *callers;

static void fault(Caller *c, const char *text, const char *detail, size_t length) {
    c->flawed = true;
    if (!*first_fault)
        snprintf(first_fault, sizeof first_fault, "%s after word %d of %d: %.*s", text, c->next,
                 c->length, (int)(length < 100 ? length : 100), detail);
    for (char *at = first_fault; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = '\'';
}

static bool dial(Caller *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.target)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) abort();
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return false;
    }
    watch(&c->peer, fd);
    return true;
}

/* Most of a caller's first streams are shorter than the rest, so that ends and beginnings spread. */
void ask(Peer *caller) {
    Caller *c = (Caller *)caller;
    static const char HEADER[] = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                 "Content-Type: application/json\r\nAuthorization: Bearer %s\r\n"
                                 "Content-Length: %d\r\n\r\n%s";
    static const char BODY[] =
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You are the assistant inside"
        " a product that people use for their daily work. Answer in plain English, and say so when you"
        " do not know.\"},{\"role\":\"user\",\"content\":\"stream=%u.%u length=%d cut=%d Please name the"
        " three most likely reasons, in order of likelihood, say for each which figure to look at next"
        " to confirm or refute it, and finish with one sentence for a slide.\"}],"
        "\"max_tokens\":4096,\"temperature\":0.2,\"stream\":true}";
    char body[1024], request[2048];
    bool fresh = !c->stream;
    c->stream = (unsigned)++count.started;
    c->length = fresh ? 2 + (int)draw((uint64_t)options.words - 1) : options.words;
    c->cut = options.cut && count.started % options.cut == 0 ? 1 + (int)draw((uint64_t)c->length - 1) : -1;
    c->reading = HEAD, c->frame.length = c->event.length = 0, c->seam = -1;
    c->next = 0, c->digits = -1, c->chars = 0;
    c->finished = c->done = c->flawed = false;
    c->active = true;
    c->last = now();
    int length = snprintf(body, sizeof body, BODY, options.model, (unsigned)(c - callers), c->stream,
                          c->length, c->cut);
    int all = snprintf(request, sizeof request, HEADER, options.key, length, body);
    if (c->peer.fd < 0 && !dial(c)) all = -1;
    if (all < 0 || send(c->peer.fd, request, (size_t)all, MSG_NOSIGNAL | MSG_DONTWAIT) != all) {
        fault(c, "not reached", "", 0);
        count.faulty++;
        c->active = false;
        drop(&c->peer);
        after(&c->peer, now() + AGAIN);
    }
}

/* The stream is over, in one way or another. */
static void over(Caller *c, bool keep) {
    if (!c->done || !c->finished) fault(c, "no proper end", "", 0);
    else if (c->next != c->length) fault(c, "an end too early", "", 0);
    else if (c->chars != (long)c->length * WORD_CHARS) fault(c, "other text", "", 0);
    if (c->flawed) count.faulty++;
    else count.whole++;
    c->active = false;
    if (!keep) drop(&c->peer);
    if (!keep && c->flawed) after(&c->peer, now() + AGAIN);
    else ask(&c->peer);
}

static void word(Caller *c, int number, int64_t at) {
    if (number < c->next || number >= c->length) {
        count.doubled++;
        fault(c, "a word again", "", 0);
        return;
    }
    if (number > c->next) {
        count.missing += number - c->next;
        fault(c, "a word missing", "", 0);
    }
    count.words++;
    if (number == c->seam) sample(&seams, at - c->last);
    else if (measuring) sample(&latency, at - c->sent[number]);
    c->last = at;
    c->next = number + 1;
}

static void text(Caller *c, const char *at, const char *end, int64_t when) {
    for (; at < end; at++, c->chars++) {
        if (*at == 'w') {
            c->digits = 0, c->number = 0;
        } else if (*at >= '0' && *at <= '9' && c->digits >= 0) {
            c->number = 10 * c->number + *at - '0';
            if (++c->digits == 6) word(c, c->number, when), c->digits = -1;
        } else if (*at != ' ') {
            count.foreign++;
        }
    }
}

/* The string that is the member `name`, as it stands in JSON; NULL where there is none. */
static const char *string_of(const char *line, size_t length, const char *name, const char **end) {
    const char *at = memmem(line, length, name, strlen(name)), *limit = line + length;
    if (!at) return NULL;
    for (at += strlen(name); at < limit && (*at == ' ' || *at == ':'); at++) continue;
    if (at >= limit || *at++ != '"') return NULL;
    for (*end = at; *end < limit && **end != '"'; (*end)++)
        if (**end == '\\') (*end)++;
    return at;
}

static void event_read(Caller *c, const char *line, size_t length, int64_t at) {
    const char *found, *end;
    if (length && *line == ':') count.marks += memmem(line, length, "continued", 9) != NULL;
    if (length < 5 || memcmp(line, "data:", 5)) return;
    if (memmem(line, length, "[DONE]", 6)) {
        c->done = true;
        return;
    }
    if (memmem(line, length, "\"error\"", 7)) fault(c, "an error event", line, length);
    if ((found = string_of(line, length, "\"content\"", &end))) text(c, found, end, at);
    if ((found = string_of(line, length, "\"finish_reason\"", &end)))
        c->finished = end - found == 4 && !memcmp(found, "stop", 4);
}

/* Takes bytes up to a line's end; whether the line is complete. */
static bool take(Line *line, const char **at, const char *end) {
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t length = (size_t)((stop ? stop : end) - *at), room = LINE - line->length;
    if (room > length) room = length;
    memcpy(line->text + line->length, *at, room);
    line->length += room;
    line->text[line->length] = 0;
    *at += length + (stop != NULL);
    return stop != NULL;
}

/* A line outside the content; false where the response is over or of no use. */
static bool frame_read(Caller *c) {
    const char *line = c->frame.text;
    bool empty = !*line || *line == '\r';
    c->frame.length = 0;
    switch (c->reading) {
    case HEAD:
        if (!strncmp(line, "HTTP/", 5) && strncmp(line + 8, " 200", 4)) {
            fault(c, "refused", line, strlen(line));
            return false;
        }
        if (empty) c->reading = SIZE;
        return true;
    case SIZE:
        c->left = strtoul(line, NULL, 16);
        c->reading = c->left ? DATA : TRAILER;
        return true;
    case TRAILER:
        return !empty;
    default:
        c->reading = SIZE;
        return true;
    }
}

/* One step through a response; false where it is over or of no use. */
static bool step(Caller *c, const char **at, const char *end, int64_t when) {
    if (c->reading != DATA) return !take(&c->frame, at, end) || frame_read(c);
    const char *limit = (size_t)(end - *at) < c->left ? end : *at + c->left;
    c->left -= (size_t)(limit - *at);
    while (*at < limit)
        if (take(&c->event, at, limit)) {
            event_read(c, c->event.text, c->event.length, when);
            c->event.length = 0;
        }
    if (!c->left) c->reading = DATA_END;
    return true;
}

void read_on(Peer *caller) {
    Caller *c = (Caller *)caller;
    static char in[1 << 16];
    ssize_t got = recv(c->peer.fd, in, sizeof in, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    int64_t when = now();
    const char *at = in, *end = in + (got > 0 ? got : 0);
    while (at < end)
        if (!step(c, &at, end, when)) {
            over(c, c->reading == TRAILER);
            return;
        }
    if (got > 0) return;
    if (c->active) over(c, false);
    else drop(&c->peer);
}
