/* Many streams at a steady pace: the provider and its callers in one process and on one clock.
 *
 *   paced target=PORT first=PORT second=PORT [streams=1000] [seconds=60] [cut=0] …
 *
 * It listens on `first` and `second` as a provider of OpenAI's chat completions, and calls `target`
 * (a gateway in front of them, or `first` itself: the baseline). Each of `streams` callers reads one
 * stream after the other. A stream is a run of numbered words, " w000000" onwards, one event every
 * `pace` ms. The callers check that every word comes once and in order, and how long after its
 * sending each arrives. Since both ends are here, the times of sending need not travel.
 *
 * With `cut=N`, every Nth stream's connection is reset by the provider at a word drawn at random. A
 * request in which words stand already is one to continue: it is answered from the next word on,
 * at either port, and not cut again.
 *
 * Says `begin` and `end` on lines of their own around the measured time, then `RESULT {…}`. Latencies
 * are of the measured time; everything that is counted is of the whole run.
 */
#define _GNU_SOURCE
#include "paced.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 128 };
/* A stream without a word for so long at the end of the run is stuck. */
static const int64_t STUCK = 5 * SECOND;

Options options = {.streams = 1000, .rate = 200, .settle = 2, .seconds = 60, .linger = 3,
                   .words = 600, .pace = 50, .model = "chat", .key = "none"};
Count count;
Samples latency, lateness, seams;
char first_fault[200];
bool measuring;
static int poller;

void watch(Peer *peer, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    peer->fd = fd;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) abort();
}

void drop(Peer *peer) {
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
    peer->life++;
}

/* Handles what is due and what has come, once; waits for it until `limit` at most. */
static void turn(int64_t limit) {
    struct epoll_event events[BATCH];
    int64_t at = now();
    const Timer *top;
    while ((top = soonest()) && top->due <= at) {
        Timer timer = take_soonest();
        if (timer.life != timer.peer->life) continue;
        if (timer.peer->kind == PROVIDER) next_word(timer.peer);
        else ask(timer.peer);
    }
    if (top && top->due < limit) limit = top->due;
    int64_t wait = limit - now();
    if (wait < 0) wait = 0;
    struct timespec timeout = {wait / SECOND, wait % SECOND};
    int ready = epoll_pwait2(poller, events, BATCH, &timeout, NULL);
    for (int i = 0; i < ready; i++) {
        Peer *peer = events[i].data.ptr;
        if (peer->fd < 0) continue;
        if (peer->kind == LISTENER) welcome((Listener *)peer);
        else if (peer->kind == PROVIDER) hear(peer);
        else read_on(peer);
    }
}

static int64_t used(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

static void report(int64_t cpu) {
    long stuck = 0, active = 0;
    for (int i = 0; i < options.streams; i++) {
        active += callers[i].active;
        stuck += callers[i].active && now() - callers[i].last > STUCK;
    }
    printf("RESULT {\"started\": %ld, \"whole\": %ld, \"faulty\": %ld, \"stuck\": %ld, \"active\": %ld",
           count.started, count.whole, count.faulty, stuck, active);
    printf(", \"words\": %ld, \"missing\": %ld, \"doubled\": %ld, \"foreign\": %ld", count.words,
           count.missing, count.doubled, count.foreign);
    printf(", \"cuts\": %ld, \"continued\": %ld, \"marks\": %ld, \"choked\": %ld", count.cuts,
           count.continued, count.marks, count.choked);
    printf(", \"first\": %ld, \"second\": %ld", count.requests[0], count.requests[1]);
    print_samples("latency", &latency);
    print_samples("lateness", &lateness);
    print_samples("seams", &seams);
    printf(", \"cpu\": %.4f, \"first_fault\": \"%s\"}\n", (double)cpu / ((double)options.seconds * SECOND),
           first_fault);
}

static void read_options(char **given) {
    const struct { const char *name; int *value; } numbers[] = {
        {"target", &options.target},   {"first", &options.first},   {"second", &options.second},
        {"streams", &options.streams}, {"rate", &options.rate},     {"settle", &options.settle},
        {"seconds", &options.seconds}, {"linger", &options.linger}, {"words", &options.words},
        {"pace", &options.pace},       {"cut", &options.cut},
    };
    for (; *given; given++) {
        char *value = strchr(*given, '=');
        bool known = false;
        if (value) *value++ = 0;
        for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++)
            if (!strcmp(numbers[i].name, *given)) *numbers[i].value = atoi(value), known = true;
        if (value && !strcmp(*given, "model")) options.model = value, known = true;
        if (value && !strcmp(*given, "key")) options.key = value, known = true;
        if (!known) fprintf(stderr, "paced: no such option: %s\n", *given), exit(2);
    }
    if (options.target < 1 || options.first < 1 || options.second < 1 || options.streams < 1
        || options.rate < 1 || options.seconds < 1 || options.words < 3 || options.words > MAX_WORDS)
        fprintf(stderr, "paced: target, first and second are needed; words: 3 to %d\n", MAX_WORDS), exit(2);
}

/* As many connections as the system lets us have. */
static void more_files(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
    (void)argc;
    read_options(argv + 1);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1000);
    more_files();
    poller = epoll_create1(EPOLL_CLOEXEC);
    callers = calloc((size_t)options.streams, sizeof *callers);
    if (poller < 0 || !callers) abort();
    Listener listeners[] = {{{LISTENER, -1, 0}, 0}, {{LISTENER, -1, 0}, 1}};
    listen_on(&listeners[0], options.first);
    listen_on(&listeners[1], options.second);
    int64_t start = now();
    for (int i = 0; i < options.streams; i++) {
        callers[i].peer = (Peer){CALLER, -1, 0};
        after(&callers[i].peer, start + i * SECOND / options.rate);
    }
    int64_t from = start + options.streams * SECOND / options.rate + options.settle * SECOND;
    int64_t until = from + options.seconds * SECOND;
    while (now() < from) turn(from);
    measuring = true;
    int64_t cpu = used();
    puts("begin"), fflush(stdout);
    while (now() < until) turn(until);
    measuring = false;
    cpu = used() - cpu;
    puts("end"), fflush(stdout);
    for (until += options.linger * SECOND; now() < until;) turn(until);
    report(cpu);
    return 0;
}
