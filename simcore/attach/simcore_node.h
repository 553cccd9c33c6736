/*
 * simcore_node.h: a module under test in C, as a shared library. Plain C99, also C++.
 *
 * A library exports the functions at the end of this file. The simulator loads it, makes any number
 * of instances and calls them in lockstep with virtual time: nothing happens between two calls, and
 * while a call lasts time stands still.
 *
 *     cc -std=c99 -shared -fPIC -I"$(python -m simcore.attach.c_abi)" -o module.so module.c
 *
 * Memory: who owns what
 *   state    The host's. simcore_node_state_size() bytes, aligned to 16, zeroed before every start.
 *            All changing state of an instance lies in it. It may be moved between two calls.
 *   host     The host's, for the duration of the call it is passed to. Never keep the pointer.
 *   frame    Passed in: the host's, read only, for the duration of the call. Passed to send: the
 *            module's, read before send returns. The same holds for names, texts, keys and data.
 *   strings  End with 0 and are UTF-8, in either direction.
 *   Bytes around state and frame are watched: writing there is a finding, and so is writing
 *   into a frame that was passed in.
 *
 * What a module must not do
 *   Start threads, block, wait, read a clock or random numbers of the C library, call exit(), use
 *   signal handlers, call the host from anywhere but within a call and with that call's host.
 *   Calls do not nest: nothing that the host does for a module calls the module again.
 *
 * Copies of an instance
 *   A simulation is copied in the midst of a run. A module whose description has the flag
 *   SIMCORE_NODE_RELOCATABLE promises that a copy of the bytes of its state is a copy of the
 *   instance: no pointer into state (nor to host) in state, nothing malloc'ed, no static variable
 *   that changes; pointers to constants are no good either, a copy may travel to another process.
 *   Without the flag everything is allowed: each instance has a library of its own (a copy, with
 *   static variables of its own), each start loads it afresh, and a copy is made by repeating all
 *   calls since the start with the same answers. That takes longer the longer the run.
 *
 * What a module does wrong (an unknown pin, a frame that cannot be, NaN) ends its run: the call's
 * further effects are dropped, the node is switched off, the report says why.
 */
#ifndef SIMCORE_NODE_H
#define SIMCORE_NODE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SIMCORE_NODE_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define SIMCORE_NODE_EXPORT __attribute__((visibility("default")))
#else
#define SIMCORE_NODE_EXPORT
#endif

#define SIMCORE_NODE_NEVER INT64_MAX /* a deadline that never comes */

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SIMCORE_NODE_ABI_VERSION = 1,
    SIMCORE_NODE_DATA_MAX = 64,      /* bytes of a frame */
    SIMCORE_NODE_KEY_MAX = 64,       /* bytes of a key of the non-volatile memory, or a name */
    SIMCORE_NODE_MEMORY_MAX = 65536, /* bytes under one key */
    SIMCORE_NODE_TEXT_MAX = 1024,    /* bytes of a text for the log */
    SIMCORE_NODE_STATE_MAX = 16777216 /* bytes of state */
};

enum { /* what callbacks return */
    SIMCORE_NODE_OK = 0,
    SIMCORE_NODE_NONE = -1,   /* there is no such thing */
    SIMCORE_NODE_REFUSED = -2 /* the module did something wrong: return, nothing has effect now */
};

enum { SIMCORE_NODE_DEFAULT_CHANNEL = -1 };

enum { /* simcore_node_frame.flags */
    SIMCORE_NODE_EXTENDED_ID = 1,
    SIMCORE_NODE_FD = 2,
    SIMCORE_NODE_BITRATE_SWITCH = 4,
    SIMCORE_NODE_ERROR_STATE_INDICATOR = 8,
    SIMCORE_NODE_REMOTE = 16 /* length 0, dlc says what is asked for */
};

enum { /* why an instance starts */
    SIMCORE_NODE_POWER_ON = 0,
    SIMCORE_NODE_WATCHDOG_RESET = 1,
    SIMCORE_NODE_SOFTWARE_RESET = 2,
    SIMCORE_NODE_BROWN_OUT = 3
};

enum { /* error state of a CAN controller, ISO 11898-1 */
    SIMCORE_NODE_ERROR_ACTIVE = 0,
    SIMCORE_NODE_ERROR_WARNING = 1,
    SIMCORE_NODE_ERROR_PASSIVE = 2,
    SIMCORE_NODE_BUS_OFF = 3
};

enum { /* kinds of a reset that a module asks for, ISO 14229-1 ECUReset */
    SIMCORE_NODE_HARD_RESET = 1,
    SIMCORE_NODE_KEY_OFF_ON_RESET = 2,
    SIMCORE_NODE_SOFT_RESET = 3
};

enum { /* simcore_node_description.flags */
    SIMCORE_NODE_RELOCATABLE = 1,   /* see above */
    SIMCORE_NODE_FIXED_SCHEDULE = 2 /* frames never change the next deadline */
};

/* One CAN or CAN FD frame. dlc is the raw code 0..15 of the wire, length the bytes in data; to
 * send, dlc may be left 0: then it follows from length. */
typedef struct simcore_node_frame {
    uint32_t arbitration_id;
    uint8_t flags;
    uint8_t dlc;
    uint8_t length;
    uint8_t reserved;
    uint8_t data[64];
} simcore_node_frame;

/* What the library says about itself; constant, valid while the library is loaded. */
typedef struct simcore_node_description {
    uint32_t flags;
    const char *name;    /* may be NULL */
    const char *version; /* may be NULL */
} simcore_node_description;

/* The world of an instance. Pins have the names and units of the README's table ("clamp_force_n");
 * their indices hold until the next start, and so do those of channels: 0 is the default. */
typedef struct simcore_node_host simcore_node_host;
struct simcore_node_host {
    uint32_t size;          /* bytes of this structure; later versions add at the end */
    uint32_t channel_count; /* buses the node is on */
    const char *node_name;  /* "EMB_FL" */
    void *context;          /* the host's own */

    /* Request transmission. On the default channel, a message that the database marks as redundant
     * goes out on both. SIMCORE_NODE_OK or SIMCORE_NODE_REFUSED. */
    int32_t (*send)(const simcore_node_host *host, const simcore_node_frame *frame,
                    int32_t channel);
    /* Index of a bus by name ("CHASSIS_B"), SIMCORE_NODE_NONE without one. */
    int32_t (*find_channel)(const simcore_node_host *host, const char *name);

    /* Index of a pin, SIMCORE_NODE_NONE without one. Inputs and outputs count apart. */
    int32_t (*find_input)(const simcore_node_host *host, const char *name);
    int32_t (*find_output)(const simcore_node_host *host, const char *name);
    double (*read)(const simcore_node_host *host, int32_t input);
    void (*write)(const simcore_node_host *host, int32_t output, double value);
    double (*read_named)(const simcore_node_host *host, const char *name);
    void (*write_named)(const simcore_node_host *host, const char *name, double value);

    /* Non-volatile memory, by key: it outlives resets and loss of supply. memory_read copies at
     * most capacity bytes and returns how many are stored, SIMCORE_NODE_NONE without the key. */
    int32_t (*memory_read)(const simcore_node_host *host, const char *key, void *buffer,
                           uint32_t capacity);
    void (*memory_write)(const simcore_node_host *host, const char *key, const void *data,
                         uint32_t length);
    void (*memory_erase)(const simcore_node_host *host, const char *key);

    /* An event for the record. Kinds: state detection reaction fault note dtc. */
    void (*log)(const simcore_node_host *host, const char *kind, const char *text);

    /* The external watchdog beside the ECU. Without one: SIMCORE_NODE_NONE, and no effect.
     * watchdog_enabled: the enable line, 0 or 1. watchdog_serve: whatever this chip wants, from
     * software that knows it; call it at least every watchdog_period ns, with allowed = 0 for
     * never again. The rest is the chip's registers, for software that knows the chip itself. */
    int32_t (*watchdog_enabled)(const simcore_node_host *host);
    int64_t (*watchdog_period)(const simcore_node_host *host);
    void (*watchdog_serve)(const simcore_node_host *host, int32_t allowed);
    int32_t (*watchdog_error_count)(const simcore_node_host *host);
    void (*watchdog_trigger)(const simcore_node_host *host);
    int32_t (*watchdog_question)(const simcore_node_host *host);
    void (*watchdog_answer)(const simcore_node_host *host, uint8_t value);
    void (*watchdog_release)(const simcore_node_host *host, uint8_t code);
    void (*watchdog_demand_safe_state)(const simcore_node_host *host);

    /* Receive these base identifiers only; NULL for everything, as after a start. */
    void (*accept)(const simcore_node_host *host, const uint32_t *arbitration_ids, uint32_t count);
    /* Be told by simcore_node_transmitted when frames with these identifiers have left a
     * controller; count 0 for no longer. */
    void (*confirm)(const simcore_node_host *host, const uint32_t *arbitration_ids,
                    uint32_t count);
    /* Reset the ECU as soon as the present call has ended; kinds above. */
    void (*reset)(const simcore_node_host *host, int32_t kind);
};

/* ---- what a library exports ---- */

/* Returns SIMCORE_NODE_ABI_VERSION. */
SIMCORE_NODE_EXPORT uint32_t simcore_node_abi_version(void);

/* Bytes of state that one instance needs, 0..SIMCORE_NODE_STATE_MAX. */
SIMCORE_NODE_EXPORT size_t simcore_node_state_size(void);

/* Power on, or out of reset: state is zeroed, non-volatile memory is as it was left. */
SIMCORE_NODE_EXPORT void simcore_node_start(void *state, const simcore_node_host *host,
                                            uint32_t reset_cause, int64_t now_ns);

/* A frame has arrived: on the default channel, or on any where there is no
 * simcore_node_receive_on; then the second copy of a redundant message is left out. */
SIMCORE_NODE_EXPORT void simcore_node_receive(void *state, const simcore_node_host *host,
                                              const simcore_node_frame *frame, int64_t now_ns);

/* The deadline has come. The next one has to be later than now_ns. */
SIMCORE_NODE_EXPORT void simcore_node_timer(void *state, const simcore_node_host *host,
                                            int64_t now_ns);

/* When to call simcore_node_timer next, SIMCORE_NODE_NEVER for never. Asked after every call. */
SIMCORE_NODE_EXPORT int64_t simcore_node_next_deadline(const void *state);

/* ---- optional ---- */

/* What the library says about itself; without it, no flag is set. */
SIMCORE_NODE_EXPORT const simcore_node_description *simcore_node_describe(void);

/* A frame has arrived on another than the default channel, copies included. */
SIMCORE_NODE_EXPORT void simcore_node_receive_on(void *state, const simcore_node_host *host,
                                                 uint32_t channel, const simcore_node_frame *frame,
                                                 int64_t now_ns);

/* A controller of the node has changed its error state. */
SIMCORE_NODE_EXPORT void simcore_node_bus_state(void *state, const simcore_node_host *host,
                                                uint32_t channel, uint32_t error_state,
                                                int64_t now_ns);

/* A frame that the node asked about has left its controller. */
SIMCORE_NODE_EXPORT void simcore_node_transmitted(void *state, const simcore_node_host *host,
                                                  uint32_t channel,
                                                  const simcore_node_frame *frame,
                                                  int64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
