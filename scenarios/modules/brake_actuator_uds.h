/* Diagnostics of the brake actuator: ISO-TP (ISO 15765-2) and a few services of UDS (ISO 14229-1).
 *
 * Sessions, resets, identification, communication control, tester present. No trouble codes, no
 * security access, no routines, no update: see brake_actuator.toml. Answers stay within frames of 24
 * bytes, so that they hold nothing up.
 */
#ifndef BRAKE_ACTUATOR_UDS_H
#define BRAKE_ACTUATOR_UDS_H

#include "brake_actuator_com.h"

#define UDS_MAX 256
#define TP_FRAME 24
#define TP_TIMEOUT_NS (1000 * MS)
#define S3_NS (5000 * MS)

enum { SESSION_DEFAULT = 1, SESSION_EXTENDED = 3 };
enum {
    NRC_NO_SERVICE = 0x11,
    NRC_NO_SUB_FUNCTION = 0x12,
    NRC_LENGTH = 0x13,
    NRC_TOO_LONG = 0x14,
    NRC_OUT_OF_RANGE = 0x31,
    NRC_NOT_IN_SESSION = 0x7F,
    NRC_MOVING = 0x88
};

typedef struct {
    uint8_t rx[UDS_MAX], tx[UDS_MAX];
    uint16_t rx_size, rx_got, tx_size, tx_sent; /* sizes are 0 while nothing is under way */
    uint8_t rx_frame, rx_sequence, tx_sequence, tx_clear, tx_block;
    uint8_t session, mute, deaf, reset; /* a reset that waits for its answer to leave: its kind */
    int64_t rx_until_ns, tx_until_ns, tx_due_ns, tx_gap_ns, s3_ns, reset_ns;
} uds_t;

/* What the ECU gives to it: frames leave, identifiers are read, the wheel turns or not. */
static void tp_send(const call_t *c, const uint8_t *data, unsigned length);
static unsigned uds_read(const call_t *c, unsigned did, uint8_t *out);
static int uds_moves(const call_t *c);

/* One frame of `size` bytes, filled up to a length that CAN FD has. */
static void tp_frame(const call_t *c, uint8_t *frame, unsigned size)
{
    unsigned length = size <= 8 ? 8 : (size + 3) / 4 * 4;
    memset(frame + size, 0xCC, length - size);
    tp_send(c, frame, length);
}

static void tp_answer(const call_t *c, uds_t *u, unsigned size)
{
    uint8_t frame[TP_FRAME];
    unsigned head = size <= 7 ? 1 : 2;
    if (size + 2 <= TP_FRAME) {
        frame[0] = (uint8_t)(size <= 7 ? size : 0);
        frame[head - 1] = (uint8_t)size;
        memcpy(frame + head, u->tx, size);
        tp_frame(c, frame, size + head);
        return;
    }
    frame[0] = (uint8_t)(0x10 | size >> 8);
    frame[1] = (uint8_t)size;
    memcpy(frame + 2, u->tx, TP_FRAME - 2);
    tp_send(c, frame, TP_FRAME);
    u->tx_size = (uint16_t)size;
    u->tx_sent = TP_FRAME - 2;
    u->tx_sequence = 1;
    u->tx_clear = 0;
    u->tx_until_ns = c->now_ns + TP_TIMEOUT_NS;
}

/* Consecutive frames, as the flow control of the tester permits. */
static void tp_go_on(const call_t *c, uds_t *u)
{
    if (u->tx_size && u->tx_clear && c->now_ns >= u->tx_due_ns) {
        uint8_t frame[TP_FRAME];
        unsigned size = u->tx_size - u->tx_sent < TP_FRAME - 1 ? (unsigned)(u->tx_size - u->tx_sent)
                                                               : TP_FRAME - 1;
        frame[0] = (uint8_t)(0x20 | u->tx_sequence);
        memcpy(frame + 1, u->tx + u->tx_sent, size);
        tp_frame(c, frame, size + 1);
        u->tx_sequence = (u->tx_sequence + 1) & 0x0F;
        u->tx_sent = (uint16_t)(u->tx_sent + size);
        u->tx_due_ns = SIMCORE_NODE_NEVER; /* until this one has left */
        u->tx_until_ns = c->now_ns + TP_TIMEOUT_NS;
        if (u->tx_block && !--u->tx_block) {
            u->tx_clear = 0; /* another flow control first */
        }
        if (u->tx_sent == u->tx_size) {
            u->tx_size = 0;
        }
    }
}

static void tp_flow_control(const call_t *c, uds_t *u, const uint8_t *data)
{
    unsigned st_min = data[2];
    if (!u->tx_size || u->tx_clear) {
        return;
    }
    u->tx_until_ns = c->now_ns + TP_TIMEOUT_NS;
    if ((data[0] & 0x0F) == 0) {
        u->tx_clear = 1;
        u->tx_block = data[1];
        u->tx_gap_ns = st_min <= 0x7F ? st_min * MS
                       : st_min >= 0xF1 && st_min <= 0xF9 ? MS /* 100..900 us: our clock ticks at 1 ms */
                                                          : 127 * MS;
        u->tx_due_ns = c->now_ns;
        tp_go_on(c, u);
    } else if ((data[0] & 0x0F) != 1) {
        u->tx_size = 0; /* overflow, or reserved */
    }
}

static void uds_enter(uds_t *u, uint8_t session)
{
    u->session = session;
    if (session == SESSION_DEFAULT) {
        u->mute = u->deaf = 0;
    }
}

/* ReadDataByIdentifier, one or several; what is not known is left out, unless nothing is left. */
static int uds_read_all(const call_t *c, uint8_t *out, const uint8_t *request, unsigned size)
{
    unsigned length = 0;
    if (size < 3 || size % 2 == 0) {
        return -NRC_LENGTH;
    }
    for (unsigned i = 1; i + 1 < size; i += 2) {
        unsigned found;
        if (length + 34 > UDS_MAX) {
            return -NRC_TOO_LONG;
        }
        found = uds_read(c, (unsigned)request[i] << 8 | request[i + 1], out + length + 2);
        if (found) {
            memcpy(out + length, request + i, 2);
            length += found + 2;
        }
    }
    return length ? (int)length : -NRC_OUT_OF_RANGE;
}

/* A positive answer in `tx` from its second byte on: its size without the first; or -NRC. */
static int uds_serve(const call_t *c, uds_t *u, const uint8_t *request, unsigned size)
{
    static const struct {
        uint8_t sid, first, last, size, extended;
    } SERVICES[] = {
        {0x10, 1, 3, 2, 0}, /* DiagnosticSessionControl: default, extended */
        {0x11, 1, 3, 2, 0}, /* ECUReset: hard, key off and on, soft */
        {0x28, 0, 3, 3, 1}, /* CommunicationControl */
        {0x3E, 0, 0, 2, 0}, /* TesterPresent */
        {0x85, 1, 2, 2, 1}  /* ControlDTCSetting: there are none to set */
    };
    uint8_t *out = u->tx + 1;
    unsigned i = 0, sub = size > 1 ? request[1] & 0x7Fu : 0;

    if (request[0] == 0x22) {
        return uds_read_all(c, out, request, size);
    }
    while (i < 5 && SERVICES[i].sid != request[0]) {
        i++;
    }
    if (i == 5) {
        return -NRC_NO_SERVICE;
    }
    if (SERVICES[i].extended && u->session != SESSION_EXTENDED) {
        return -NRC_NOT_IN_SESSION;
    }
    if (size < 2) {
        return -NRC_LENGTH;
    }
    if (sub < SERVICES[i].first || sub > SERVICES[i].last || (request[0] == 0x10 && sub == 2)) {
        return -NRC_NO_SUB_FUNCTION;
    }
    if (size != SERVICES[i].size) {
        return -NRC_LENGTH;
    }
    if (request[0] != 0x10 && request[0] != 0x3E && uds_moves(c)) {
        return -NRC_MOVING;
    }
    out[0] = (uint8_t)sub;
    switch (request[0]) {
    case 0x10: /* P2 50 ms, P2* 5 s */
        uds_enter(u, (uint8_t)sub);
        memcpy(out + 1, "\x00\x32\x01\xF4", 4);
        return 5;
    case 0x11:
        u->reset = (uint8_t)sub;
        u->reset_ns = c->now_ns + (request[1] & 0x80 ? 0 : 50 * MS); /* at the latest, see uds_sent */
        return 1;
    case 0x28:
        if ((request[2] & 0x0F) < 1 || (request[2] & 0x0F) > 3) {
            return -NRC_OUT_OF_RANGE;
        }
        if (request[2] & 1) { /* normal messages */
            u->mute = sub & 1;
            u->deaf = sub >> 1 & 1;
        }
        return 1;
    default:
        return 1;
    }
}

static void uds_request(const call_t *c, uds_t *u, const uint8_t *request, unsigned size,
                        int functional)
{
    int answer, nrc;
    if (u->tx_size || u->reset || size == 0) {
        return; /* the answer before is still on its way */
    }
    answer = uds_serve(c, u, request, size);
    u->s3_ns = c->now_ns + S3_NS;
    nrc = answer < 0 ? -answer : 0;
    if (nrc) {
        /* An ECU that was not meant by a request to all keeps quiet. */
        if (functional
            && (nrc == NRC_NO_SERVICE || nrc == NRC_NO_SUB_FUNCTION || nrc == NRC_OUT_OF_RANGE
                || nrc == NRC_NOT_IN_SESSION)) {
            return;
        }
        u->tx[0] = 0x7F;
        u->tx[1] = request[0];
        u->tx[2] = (uint8_t)nrc;
        tp_answer(c, u, 3);
    } else if (request[0] == 0x22 || !(request[1] & 0x80)) {
        u->tx[0] = (uint8_t)(request[0] + 0x40);
        tp_answer(c, u, (unsigned)answer + 1);
    }
}

/* A frame on one of the diagnostic identifiers. */
static void uds_receive(const call_t *c, uds_t *u, const uint8_t *data, unsigned length, int functional)
{
    unsigned size, head, chunk;
    uint8_t frame[8] = {0x30, 0, 0};

    if (length < 3) {
        return;
    }
    switch (data[0] >> 4) {
    case 0: /* single frame; the long form in frames of more than eight bytes */
        head = length > 8 ? 2 : 1;
        size = length > 8 ? data[1] : data[0] & 0x0Fu;
        if (data[0] > 7 || (length > 8 && data[0]) || size == 0 || size + head > length
            || (length > 8 && size < 8)) {
            return;
        }
        if (!functional) {
            u->rx_size = 0; /* a new message ends the one that was coming */
        }
        uds_request(c, u, data + head, size, functional);
        return;
    case 1: /* first frame */
        size = (data[0] & 0x0Fu) << 8 | data[1];
        if (functional || length < 8 || (size && size + (length > 8 ? 2 : 1) <= length)) {
            return;
        }
        u->rx_size = 0;
        if (size == 0 || size > UDS_MAX) {
            frame[0] = 0x32; /* overflow */
        } else {
            memcpy(u->rx, data + 2, length - 2);
            u->rx_size = (uint16_t)size;
            u->rx_got = (uint16_t)(length - 2);
            u->rx_frame = (uint8_t)length;
            u->rx_sequence = 1;
            u->rx_until_ns = c->now_ns + TP_TIMEOUT_NS;
        }
        tp_frame(c, frame, 3);
        return;
    case 2: /* consecutive frame: the last one may be shorter than the first */
        chunk = length - 1;
        if (functional || !u->rx_size || length > u->rx_frame
            || (length < u->rx_frame && u->rx_got + chunk < u->rx_size)) {
            return;
        }
        if ((data[0] & 0x0F) != u->rx_sequence) {
            u->rx_size = 0;
            return;
        }
        chunk = u->rx_got + chunk > u->rx_size ? (unsigned)(u->rx_size - u->rx_got) : chunk;
        memcpy(u->rx + u->rx_got, data + 1, chunk);
        u->rx_got = (uint16_t)(u->rx_got + chunk);
        u->rx_sequence = (u->rx_sequence + 1) & 0x0F;
        u->rx_until_ns = c->now_ns + TP_TIMEOUT_NS;
        if (u->rx_got == u->rx_size) {
            size = u->rx_size;
            u->rx_size = 0;
            uds_request(c, u, u->rx, size, 0);
        }
        return;
    case 3:
        if (!functional) {
            tp_flow_control(c, u, data);
        }
        return;
    default:
        return;
    }
}

/* A frame of an answer has left: the next one, or the reset that it announced. */
static void uds_sent(const call_t *c, uds_t *u)
{
    u->reset_ns = c->now_ns;
    u->tx_due_ns = c->now_ns + u->tx_gap_ns;
    tp_go_on(c, u);
}

/* Every millisecond. Returns the kind of a reset that is due, else 0. */
static int uds_tick(const call_t *c, uds_t *u)
{
    tp_go_on(c, u);
    if (u->tx_size && c->now_ns >= u->tx_until_ns) {
        u->tx_size = 0;
    }
    if (u->rx_size && c->now_ns >= u->rx_until_ns) {
        u->rx_size = 0;
    }
    if (u->session != SESSION_DEFAULT && !u->tx_size && c->now_ns >= u->s3_ns) {
        uds_enter(u, SESSION_DEFAULT);
    }
    return u->reset && c->now_ns >= u->reset_ns ? u->reset : 0;
}

#endif
