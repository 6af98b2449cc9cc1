/* What the parts of the load program share. main.c says what it does. */
#ifndef PACED_H
#define PACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_WORDS = 2000, WORD_CHARS = 8, LINE = 4096 };
#define MS 1000000LL
#define SECOND 1000000000LL

/* The command line. Ports; numbers; times in seconds, but `pace` in milliseconds. */
typedef struct {
    int target, first, second;
    int streams, rate, settle, seconds, linger, words, pace, cut;
    const char *model, *key;
} Options;
extern Options options;

/* --- times.c: samples, the clock, what is to be done when -------------------------------------- */

typedef struct { uint32_t *at; size_t count, room; } Samples; /* microseconds */

void sample(Samples *to, int64_t ns);
void print_samples(const char *name, Samples *of);
int64_t clock_ns(int which);
int64_t now(void);
uint64_t draw(uint64_t below);

typedef enum { LISTENER, PROVIDER, CALLER } Kind;
/* A connection. `life`: a timer that was set in an earlier one is void. */
typedef struct { Kind kind; int fd; unsigned life; } Peer;
typedef struct { int64_t due; Peer *peer; unsigned life; } Timer;

void after(Peer *peer, int64_t due);
const Timer *soonest(void); /* NULL where there is none */
Timer take_soonest(void);

/* --- main.c ------------------------------------------------------------------------------------- */

typedef struct {
    long started, whole, faulty;           /* streams */
    long words, missing, doubled, foreign; /* words; foreign: bytes that belong to none */
    long cuts, continued, marks, choked, requests[2];
} Count;
extern Count count;
extern Samples latency, lateness, seams;
extern char first_fault[200];
extern bool measuring;

void watch(Peer *peer, int fd);
void drop(Peer *peer);

/* --- provider.c --------------------------------------------------------------------------------- */

typedef struct { Peer peer; int port; } Listener; /* port: 0 is the first, 1 the second */

void listen_on(Listener *listener, int port);
void welcome(Listener *listener);
void hear(Peer *provider);
void next_word(Peer *provider);

/* --- caller.c ----------------------------------------------------------------------------------- */

typedef enum { HEAD, SIZE, DATA, DATA_END, TRAILER } Reading;
typedef struct { char text[LINE + 1]; size_t length; } Line; /* what is longer loses its end */
typedef struct {
    Peer peer;
    unsigned stream;               /* the number of the stream that it reads now */
    int length, cut;               /* words of it; before which one it is cut, or -1 */
    int64_t sent[MAX_WORDS], last; /* when each was sent; when one last arrived */
    int seam;                      /* the first word of the continuation, or -1 */
    Reading reading;               /* the HTTP response */
    size_t left;                   /* … bytes of this chunk */
    Line frame, event;             /* … of the head or a chunk's size; of the events */
    int next, digits, number;      /* the words: the next expected, the one that is being read */
    long chars;
    bool active, finished, done, flawed;
} Caller;
extern Caller *callers; /* the provider writes its times of sending into them */

void ask(Peer *caller);
void read_on(Peer *caller);

#endif
