/* Frames of the brake actuator: signals as bits, E2E profile 5, and what comes in on two buses.
 *
 * A message is a stream: each frame is checked when it arrives, and one that fails its check
 * changes nothing the tasks read. The stream as a whole must be trustworthy, too (the state machine
 * of AUTOSAR PRS_E2EProtocol, 6.10), and not older than three cycles. All protected messages of the
 * reference interface have checksum and counter in their first three bytes, least significant first.
 */
#ifndef BRAKE_ACTUATOR_COM_H
#define BRAKE_ACTUATOR_COM_H

#include <stdint.h>
#include <string.h>

#include "simcore_node.h"

#define MS INT64_C(1000000) /* ns */
#define E2E_WINDOW 10

struct ecu;
typedef struct { /* one call of the simulator: everything the functions here need to know of it */
    struct ecu *e;
    const simcore_node_host *host;
    int64_t now_ns;
} call_t;

typedef enum { CHECK_OTHER, CHECK_OK, CHECK_ERROR, CHECK_NO_DATA } check_t;
typedef enum { SM_NO_DATA, SM_INIT, SM_VALID, SM_INVALID } sm_t;

typedef struct {
    uint32_t id;
    uint16_t data_id;
    uint8_t length;
    int64_t cycle_ns;
} message_t;

typedef struct {
    int64_t heard_ns[2];    /* when each bus last brought a frame; 0: not yet */
    int64_t updated_ns;     /* when `data` came */
    int64_t valid_until_ns; /* -1: `data` must not be used */
    int64_t expected_ns;    /* when the next frame is overdue; -1: nothing begun yet */
    uint8_t data[64];       /* last usable payload */
    uint8_t window[E2E_WINDOW];
    uint8_t filled, calls, state; /* of the state machine */
    uint8_t counter, started;     /* of the last frame with a right checksum */
    uint8_t bus;                  /* which brought `data` */
    uint8_t fresh;                /* `data` has not been looked at yet */
    uint8_t jumps;                /* frames out of sequence, counted: a sender that began anew */
} stream_t;

static uint32_t get_bits(const uint8_t *data, unsigned start, unsigned length)
{
    uint32_t raw = 0;
    for (unsigned i = 0; i < length; i++) {
        raw |= (uint32_t)(data[(start + i) / 8] >> (start + i) % 8 & 1) << i;
    }
    return raw;
}

static void put_bits(uint8_t *data, unsigned start, unsigned length, uint32_t raw)
{
    for (unsigned i = 0; i < length; i++) {
        uint8_t bit = (uint8_t)(1u << (start + i) % 8);
        data[(start + i) / 8] = (uint8_t)((data[(start + i) / 8] & ~bit) | (raw >> i & 1 ? bit : 0));
    }
}

/* A physical value, saturated to its range and rounded to the nearest step. */
static void put_value(uint8_t *data, unsigned start, unsigned length, double value, double scale,
                      double offset, double low, double high)
{
    double steps;
    value = value >= low ? value : low; /* what is no number becomes `low` */
    value = value <= high ? value : high;
    steps = (value - offset) / scale;
    put_bits(data, start, length, (uint32_t)(int64_t)(steps < 0.0 ? steps - 0.5 : steps + 0.5));
}

/* CRC-16/CCITT-FALSE over all but the checksum itself, then the data id. */
static uint16_t e2e_crc(const uint8_t *data, unsigned length, uint16_t data_id)
{
    uint16_t crc = 0xFFFF;
    for (unsigned i = 2; i < length + 2; i++) {
        uint8_t byte = (uint8_t)(i < length ? data[i] : data_id >> 8 * (i - length));
        crc = (uint16_t)(crc ^ byte << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

static void e2e_protect(uint8_t *data, unsigned length, uint16_t data_id, uint8_t *counter)
{
    data[2] = (*counter)++;
    put_bits(data, 0, 16, e2e_crc(data, length, data_id));
}

/* The state machine, COM-003: windows 5/10/5, MinOk 3/3/4, MaxError 1/2/0. */
static void e2e_step(stream_t *s, check_t check)
{
    static const uint8_t WINDOW[] = {5, 5, 10, 5}, MIN_OK[] = {3, 3, 3, 4}, MAX_ERROR[] = {1, 1, 2, 0};
    unsigned ok = 0, errors = 0, used;
    sm_t after = (sm_t)s->state;

    if (s->filled == WINDOW[s->state]) {
        memmove(s->window, s->window + 1, --s->filled);
    }
    s->window[s->filled++] = (uint8_t)check;
    for (unsigned i = 0; i < s->filled; i++) {
        ok += s->window[i] == CHECK_OK;
        errors += s->window[i] == CHECK_ERROR;
    }
    used = s->calls++ % WINDOW[s->state] + 1u;
    s->calls = (uint8_t)(s->calls % 100); /* a multiple of all windows */
    if (s->state == SM_NO_DATA) {
        if (check == CHECK_OK || check == CHECK_OTHER) {
            after = SM_INIT;
        } else if (used == WINDOW[SM_NO_DATA]) {
            after = SM_INVALID; /* a whole window without data */
        }
    } else if (errors > MAX_ERROR[s->state]) {
        after = SM_INVALID;
    } else if (ok >= MIN_OK[s->state]) {
        after = SM_VALID;
    } else if (s->state == SM_VALID || (s->state == SM_INIT && used - ok > 2)) {
        after = SM_INVALID; /* too few, or enough are out of reach */
    }
    if (after != (sm_t)s->state) {
        if (s->state == SM_NO_DATA || after == SM_INVALID) {
            s->filled = 0;
        }
        s->calls = 0;
        s->state = (uint8_t)after;
    }
    if (s->state != SM_VALID) {
        s->valid_until_ns = -1;
    }
}

static void stream_start(stream_t *s)
{
    memset(s, 0, sizeof *s);
    s->valid_until_ns = s->expected_ns = -1;
    s->counter = 0xFF;
}

/* A frame came on one of the buses. Copies that the faster bus has brought already do not count. */
static void stream_receive(stream_t *s, const message_t *m, const uint8_t *data, unsigned length,
                           unsigned bus, int64_t now_ns)
{
    check_t check = CHECK_ERROR;
    unsigned delta;

    if (bus != s->bus && s->started && length > 2 && now_ns - s->heard_ns[s->bus] <= 3 * m->cycle_ns
        && (uint8_t)(s->counter - data[2]) < 128) {
        s->heard_ns[bus] = now_ns;
        return;
    }
    s->heard_ns[bus] = now_ns;
    s->expected_ns = now_ns + m->cycle_ns + m->cycle_ns / 2;
    if (length == m->length && get_bits(data, 0, 16) == e2e_crc(data, length, m->data_id)) {
        delta = (uint8_t)(data[2] - s->counter);
        s->counter = data[2];
        check = delta >= 1 && delta <= 3 ? CHECK_OK : CHECK_OTHER; /* repeated, or out of sequence */
        s->jumps = (uint8_t)(s->jumps + (delta > 3));
    }
    e2e_step(s, check);
    if (check == CHECK_OK) {
        s->started = 1;
        s->bus = (uint8_t)bus;
    }
    if (check == CHECK_OK && s->state == SM_VALID) {
        memcpy(s->data, data, length);
        s->updated_ns = now_ns;
        s->valid_until_ns = now_ns + 3 * m->cycle_ns;
        s->fresh = 1;
    }
}

/* Count the cycles that passed without a frame; from a periodic task. */
static void stream_monitor(stream_t *s, const message_t *m, int64_t now_ns)
{
    if (s->expected_ns < 0) {
        s->expected_ns = now_ns + m->cycle_ns + m->cycle_ns / 2;
    }
    for (; s->expected_ns < now_ns; s->expected_ns += m->cycle_ns) {
        e2e_step(s, CHECK_NO_DATA);
    }
}

#endif
