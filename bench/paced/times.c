/* Samples and their percentiles, the clock, and a heap of what is to be done when. */
#define _GNU_SOURCE
#include "paced.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void sample(Samples *to, int64_t ns) {
    if (to->count == to->room) {
        to->room = to->room ? 2 * to->room : 1 << 16;
        to->at = realloc(to->at, to->room * sizeof *to->at);
        if (!to->at) abort();
    }
    to->at[to->count++] = (uint32_t)(ns > 0 ? ns / 1000 : 0);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void print_samples(const char *name, Samples *of) {
    static const double SHARES[] = {0.5, 0.9, 0.99, 0.999, 1};
    static const char *const NAMES[] = {"p50", "p90", "p99", "p999", "max"};
    qsort(of->at, of->count, sizeof *of->at, ascending);
    printf(", \"%s\": {\"count\": %zu", name, of->count);
    for (int i = 0; i < 5; i++) {
        size_t rank = (size_t)(SHARES[i] * (double)of->count);
        if (rank >= of->count) rank = of->count - 1;
        printf(", \"%s\": %u", NAMES[i], of->count ? of->at[rank] : 0);
    }
    printf("}");
}

int64_t clock_ns(int which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

int64_t now(void) { return clock_ns(CLOCK_MONOTONIC); }

/* xorshift64* (Vigna 2016), with one seed: every run draws from the same sequence. */
uint64_t draw(uint64_t below) {
    static uint64_t state = 0x9E3779B97F4A7C15u;
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return (state * 0x2545F4914F6CDD1Du >> 33) % below;
}

static Timer *heap;
static size_t timers, heap_room;

void after(Peer *peer, int64_t due) {
    if (timers == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 4096;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (!heap) abort();
    }
    size_t at = timers++;
    for (; at && heap[(at - 1) / 2].due > due; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = (Timer){due, peer, peer->life};
}

const Timer *soonest(void) { return timers ? heap : NULL; }

Timer take_soonest(void) {
    Timer top = heap[0], last = heap[--timers];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < timers; at = child) {
        if (child + 1 < timers && heap[child + 1].due < heap[child].due) child++;
        if (heap[child].due >= last.due) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}
