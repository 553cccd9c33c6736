/* States of the brake actuator, as in EMB_xx_State: start-up, release, what leads from one to the other. */
#ifndef BRAKE_ACTUATOR_MODES_H
#define BRAKE_ACTUATOR_MODES_H

#include "brake_actuator_state.h"

static void enter(const call_t *c, state_t state, const char *why)
{
    ecu_t *e = c->e;
    char text[96] = "";
    if (state == (state_t)e->state) {
        return;
    }
    strcat(strcat(strcat(text, STATE_NAMES[e->state]), " -> "), STATE_NAMES[state]);
    strcat(strcat(strcat(text, " ("), why), ")");
    c->host->log(c->host, "state", text);
    e->state = (uint8_t)state;
    if (motor_off(e)) {
        e->current_a = e->reference_n = 0.0;
        c->host->write(c->host, e->motor, 0.0);
    }
}

/* Something is wrong: release, or, with a park brake at work, stay as it is (BRK-003, BRK-008). */
static void fail(const call_t *c, cause_t cause, const char *why)
{
    ecu_t *e = c->e;
    int parking = e->state == PARK_APPLYING || e->state == PARK_RELEASING;
    int starting = e->state == INIT || e->state == SELF_TEST;
    int cuts = cause == CAUSE_SUPPLY || cause == CAUSE_ENABLE || cause == CAUSE_HEAT;
    if (e->state == FAULT_LOCKED || (e->state == SAFE_RELEASED && cause != CAUSE_LATCHED)
        || (cuts && (e->state == PARK_APPLIED || (starting && cause != CAUSE_SUPPLY)))) {
        return;
    }
    c->host->log(c->host, "detection", why);
    e->cause = (uint8_t)cause;
    enter(c, (parking && !cuts) || e->state == PARK_APPLIED ? FAULT_LOCKED : SAFE_RELEASED, why);
}

static int force_in_range(const ecu_t *e) { return e->pin[FORCE] >= -1000.0 && e->pin[FORCE] <= 60000.0; }
static int motion_in_range(const ecu_t *e) /* without load the motor turns at 600 rad/s */
{
    return e->pin[TRAVEL] >= -2e-3 && e->pin[TRAVEL] <= 8e-3 && size_of(e->pin[SPEED]) <= 1000.0;
}

static void distrust_force(const call_t *c, const char *why)
{
    if (c->e->force_valid) {
        c->host->log(c->host, "detection", why);
    }
    if (c->e->state == READY || c->e->state == FORCE_CTRL) {
        enter(c, DEGRADED, why); /* brakes on with what the travel says of the force */
    }
    c->e->force_valid = 0;
}

static void judge_sensors(const call_t *c)
{
    ecu_t *e = c->e;
    const axle_t *a = axle(e);
    double depth_m = most(0.0, e->pin[TRAVEL] - e->contact_m);
    int started = e->state != INIT && e->state != SELF_TEST; /* the self-test judges by itself */

    if (!force_in_range(e)) {
        distrust_force(c, "force sensor out of range");
    }
    if (!motion_in_range(e) && started) {
        fail(c, CAUSE_SENSOR, "motion sensor out of range");
    }
    if (!(e->pin[SUPPLY] >= SUPPLY_MIN_V)) {
        if (e->state == SELF_TEST) {
            e->self_test = TEST_FAIL_SUPPLY;
        }
        fail(c, CAUSE_SUPPLY, "supply lost");
    }
    e->force_n = e->force_valid ? e->pin[FORCE]
                                : (a->stiffness_n_per_m + a->stiffening_n_per_m2 * depth_m) * depth_m;
}

static void self_test(const call_t *c)
{
    ecu_t *e = c->e;
    int64_t up_ns = c->now_ns - e->started_ns;
    if (e->state == INIT && up_ns >= 50 * MS) {
        e->self_test = TEST_RUNNING;
        enter(c, SELF_TEST, "initialised");
    } else if (e->state == SELF_TEST && up_ns >= 150 * MS) {
        if (force_in_range(e) && motion_in_range(e)) {
            e->self_test = TEST_PASSED;
            e->force_valid = 1;
            if (e->pin[LOCK] > 0.0) { /* a latch: it stayed closed while the ECU was off */
                c->host->write(c->host, e->lock, 1.0);
                enter(c, PARK_APPLIED, "woke up locked");
            } else {
                enter(c, READY, "self-test passed");
            }
        } else {
            e->self_test = motion_in_range(e) ? TEST_ABORTED : TEST_FAIL_POSITION;
            fail(c, CAUSE_SENSOR, "self-test failed");
        }
    }
}

/* Start again once the cause of a release is over, unless it is latched. */
static void recover(const call_t *c)
{
    ecu_t *e = c->e;
    if (e->cause != CAUSE_LATCHED && e->pin[SUPPLY] >= SUPPLY_MIN_V && force_in_range(e)
        && motion_in_range(e) && (e->cause != CAUSE_ENABLE || enabled(c))
        && (e->cause != CAUSE_HEAT || e->pin[WINDING] <= 130.0)) {
        e->started_ns = c->now_ns;
        enter(c, INIT, "cause of the release is over");
    }
}

#endif
