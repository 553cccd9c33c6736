/* Monitoring of the brake actuator, every 5 ms: level 2 (SAF-002), sensors against each other, limits. */
#ifndef BRAKE_ACTUATOR_MONITOR_H
#define BRAKE_ACTUATOR_MONITOR_H

#include "brake_actuator_command.h"
#include "brake_actuator_modes.h"

/* Level 2: is the measured force permitted by what was asked for, and by how fast a brake opens? */
static void watch_force(const call_t *c)
{
    ecu_t *e = c->e;
    double request_n = asked_force(&e->command, least(e->permitted_n, e->force_n)), recent_n;

    if (motor_off(e) || e->state == INIT || e->state == SELF_TEST) { /* on its way open */
        request_n = e->permitted_n = most(0.0, e->force_n);
    } else if (e->state == PARK_APPLYING || e->state == PARK_RELEASING) {
        request_n = PARK_N;
    }
    memmove(e->asked_n + 1, e->asked_n, sizeof e->asked_n - sizeof e->asked_n[0]);
    recent_n = e->asked_n[0] = least(request_n, axle(e)->force_max_n);
    for (unsigned i = 1; i < 7; i++) {
        recent_n = most(recent_n, e->asked_n[i]);
    }
    e->permitted_n = most(recent_n, e->permitted_n - 0.005 * least(300e3, e->command.slope_n_per_s));
    e->excess_count = (int8_t)(e->force_n > 1.15 * e->permitted_n + 1500.0 ? e->excess_count + 1 : 0);
    if (e->excess_count >= 8 && e->monitor != MONITOR_CUT) {
        e->monitor = MONITOR_CUT;
        c->host->watchdog_demand_safe_state(c->host);
        fail(c, CAUSE_LATCHED, "clamp force that nothing asks for");
    }
}

/* Force, travel, speed and current of a sound brake fit together; two bad looks weigh as four good. */
static void watch_sensors(const call_t *c)
{
    ecu_t *e = c->e;
    const axle_t *a = axle(e);
    double depth_m = e->pin[TRAVEL] - e->contact_m, bend, due_n, allowed_n, torque_nm, load_n = e->force_n;
    double moved_m = e->pin[TRAVEL] - e->travel_before_m, speed_radps = e->pin[SPEED];
    double turned_m = 0.0025 * (speed_radps + e->speed_before_radps) * a->gear_m_per_rad;
    int parking = e->state == PARK_APPLYING || e->state == PARK_RELEASING;
    int first = !e->looked, still = size_of(speed_radps) <= 2.0;

    e->travel_before_m = e->pin[TRAVEL];
    e->speed_before_radps = speed_radps;
    e->looked = !(motor_off(e) || e->state == INIT || e->state == SELF_TEST);
    if (!e->looked || first) {
        e->motion_m = 0.0;
        e->force_count = e->stall_count = e->full_looks = e->free_looks = 0;
        return;
    }
    e->motion_m = 0.9 * e->motion_m + moved_m - turned_m;
    if (!(size_of(e->motion_m) <= 80e-6)) {
        fail(c, CAUSE_LATCHED, "motion sensor: travel and motor speed differ");
        return;
    }
    bend = a->stiffening_n_per_m2 * most(0.0, depth_m);
    due_n = (a->stiffness_n_per_m + bend) * most(0.0, depth_m);
    allowed_n = 1500.0 + 0.1 * due_n + 60e-6 * (a->stiffness_n_per_m + 2.0 * bend);
    allowed_n = depth_m < -60e-6 ? 300.0 : allowed_n; /* pads in the clearance: hardly any */
    e->force_count = (int8_t)(e->force_count + (size_of(e->pin[FORCE] - due_n) > allowed_n ? 2 : -1));
    e->force_count = (int8_t)most(0, least(12, e->force_count));
    if (e->force_count >= 6) {
        distrust_force(c, "force sensor does not fit the travel");
    }
    /* Travel without force: does nothing measure it, or is there none? The current knows. */
    if (due_n > 3000.0 && e->pin[FORCE] < 0.2 * due_n && size_of(speed_radps) < 20.0) {
        int carries = a->torque_nm_per_a * e->pin[PHASE] >= 0.3 * a->gear_m_per_rad * due_n;
        e->free_looks = (int8_t)(carries ? 0 : e->free_looks + 1);
        if (e->free_looks >= 6) {
            fail(c, CAUSE_LATCHED, "motor turns freely");
        }
    } else {
        e->free_looks = 0;
    }
    /* Current without motion: jammed, or a motion sensor that is frozen. */
    torque_nm = a->torque_nm_per_a * e->pin[PHASE] - a->gear_m_per_rad * load_n;
    if (still && size_of(torque_nm) > 2.0 * (a->friction_nm + a->friction_nm_per_n * load_n) + 0.4
        && (torque_nm > 0.0 || !parking)) {
        if (e->stall_count == 0) {
            e->stall_travel_m = e->pin[TRAVEL];
            e->stall_force_n = e->pin[FORCE];
        }
        e->stall_count = (int8_t)(e->stall_count + 2);
        if (e->stall_count >= 6 && size_of(e->pin[TRAVEL] - e->stall_travel_m) <= 5e-6) {
            if (size_of(e->pin[FORCE] - e->stall_force_n) > 300.0) {
                fail(c, CAUSE_LATCHED, "motion sensor: frozen");
            } else {
                c->host->log(c->host, "detection", "actuator jammed");
                enter(c, FAULT_LOCKED, "jammed");
            }
        } else if (e->stall_count >= 6) {
            e->stall_count = 0;
        }
    } else {
        e->stall_count = (int8_t)most(0, e->stall_count - 1);
    }
    /* Full current and little speed: slow. Little current, too: the speed is not what it says. */
    if (size_of(e->current_a) > 0.95 * a->current_max_a) {
        double along_radps = e->current_a > 0.0 ? speed_radps : -speed_radps;
        e->full_looks = (int8_t)(along_radps < -2.0 ? 0 : e->full_looks + (e->full_looks < 9));
        if (still && e->full_looks >= 2 && size_of(e->pin[PHASE]) < 0.475 * a->current_max_a) {
            fail(c, CAUSE_LATCHED, "motion sensor: frozen");
        } else if (e->full_looks > 3 && along_radps < 0.38 * e->pin[SUPPLY] / a->torque_nm_per_a
                   && (e->state == READY || e->state == FORCE_CTRL)) {
            c->host->log(c->host, "detection", "motor slow");
            enter(c, DEGRADED, "slow");
        }
    } else {
        e->full_looks = 0;
    }
}

/* A parked brake stays locked and clamped; supply and winding say how much force there can be. */
static void watch_limits(const call_t *c)
{
    ecu_t *e = c->e;
    double share = 1.0, hot_share = (170.0 - e->pin[WINDING]) / 30.0;

    if (e->state != PARK_APPLIED) {
        e->locked_ns = c->now_ns;
    } else if (c->now_ns - e->locked_ns >= 40 * MS && (e->pin[LOCK] <= 0.0 || e->pin[FORCE] < 0.7 * PARK_N)) {
        e->lock_losses = (uint8_t)(e->lock_losses + (e->lock_losses < 3));
        c->host->log(c->host, "detection", "park lock open");
        enter(c, PARK_APPLYING, "lock lost");
    }
    e->low_supply = e->pin[SUPPLY] < (e->low_supply ? 38.0 : 36.0);
    if (e->low_supply) {
        share = most(0.0, e->pin[SUPPLY]) / 36.0;
    }
    share = least(least(share, 1.0), hot_share < 1.0 ? most(0.25, hot_share) : 1.0);
    e->warning = e->low_supply || e->pin[WINDING] > 140.0 || e->lock_losses >= 3;
    e->available_n = 250.0 * (int)(share * axle(e)->force_max_n / 250.0);
    if (e->pin[WINDING] >= 170.0 && !motor_off(e)) {
        fail(c, CAUSE_HEAT, "motor too hot");
    }
    if (!enabled(c) && !motor_off(e)) {
        fail(c, CAUSE_ENABLE, "enable line lost: the power stage is off");
    }
}

/* Frame k is due k cycles after the best one: a delay that grows is seen by nothing else. */
static void watch_arrival(const call_t *c)
{
    ecu_t *e = c->e;
    const stream_t *s = &e->in[PRIMARY];
    int64_t cycle_ns = RECEIVED[PRIMARY].cycle_ns, wrap_ns = 256 * cycle_ns, late_ns;

    if (s->updated_ns == e->tested_ns || !s->updated_ns) {
        return;
    }
    if (s->jumps != e->arrived || s->updated_ns - e->tested_ns > 24 * cycle_ns) {
        e->origin_ns = s->updated_ns - s->data[2] * cycle_ns; /* a sender that began anew */
        e->arrived = s->jumps;
    }
    late_ns = ((s->updated_ns - s->data[2] * cycle_ns - e->origin_ns) % wrap_ns + wrap_ns) % wrap_ns;
    if (late_ns > wrap_ns / 2) { /* earlier than ever */
        e->origin_ns = s->updated_ns - s->data[2] * cycle_ns;
        late_ns = 0;
    } else if (late_ns < cycle_ns / 2) {
        e->origin_ns += (s->updated_ns - e->tested_ns) / 2000; /* clocks of two ECUs */
    }
    e->tested_ns = s->updated_ns;
    e->late_count = (int8_t)(late_ns > 3 * cycle_ns ? e->late_count + (e->late_count < 3) : 0);
    if (e->late != (e->late_count == 3)) {
        e->late = e->late_count == 3;
        c->host->log(c->host, "detection", e->late ? "primary lane late" : "primary lane in time again");
    }
}

#endif
