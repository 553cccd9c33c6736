"""A small brake actuator: follows the primary lane, reports in, and releases when it is silent."""

from simcore import Database, Frame, ms
from simcore.protection import Profile05Receiver, Profile05Sender

CURRENT_MAX_A = 32.0
CLEARANCE_M = 0.25e-3
SILENCE_NS = ms(15)
START_NS = ms(150)
WHEEL_RADIUS_M = 0.334


class Status:
    """One cyclic message, with its counter and checksum."""

    def __init__(self, database, node, name, *signals):
        message = database.message(f"{node}_{name}")
        self.pack = message.codec.writer(*(f"{node}_{signal}" for signal in signals)).write
        self.e2e = Profile05Sender(message.e2e.data_id, message.length)
        self.cycle_ns, self.due_ns = message.cycle_time_ns, 0
        empty = bytes(message.length)
        self.frame = Frame(message.arbitration_id, empty, is_fd=True, bitrate_switch=True)

    def send(self, port, now_ns, *values):
        if now_ns >= self.due_ns:
            port.send(self.frame.with_data(self.e2e.protect(self.pack(*values))))
            self.due_ns = now_ns + self.cycle_ns


class Brake:
    """`Brake("EMB_FL", database)`; works in every corner."""

    def __init__(self, name: str, database: Database) -> None:
        command = database.message("CDC_EmbCmd")
        signals = (f"CDC_{name[-2:]}_FReq", f"CDC_{name[-2:]}_ReqVld")
        self.command_id, self.read = command.arbitration_id, command.codec.reader(*signals).read
        self.check = Profile05Receiver(command.e2e.data_id, command.length).check
        signals = ("FAct", "FActQf", "State", "WhlSpd", "WhlSpdQf", "WhlDir", "FMaxAvl", "EnLine")
        self.status_1 = Status(database, name, "St1", *signals)
        self.status_2 = Status(database, name, "St2", "UBat", "SelfTest")

    def start(self, port, now_ns):
        self.port, self.ready_ns, self.due_ns = port, now_ns + START_NS, now_ns
        self.force_n, self.heard_ns = 0.0, now_ns - SILENCE_NS
        self.status_1.due_ns = self.status_2.due_ns = now_ns
        port.accept([self.command_id])

    def receive(self, frame, now_ns):
        if self.check(frame.data).name in ("OK", "OK_SOME_LOST"):
            force_n, valid = self.read(frame.data)
            self.force_n, self.heard_ns = (force_n if valid else 0.0), now_ns

    def on_timer(self, now_ns):
        pins, ready = self.port.inputs, now_ns >= self.ready_ns
        request_n = self.force_n if ready and now_ns - self.heard_ns < SILENCE_NS else 0.0
        if request_n > 0.0:
            wanted_m = (request_n - pins["clamp_force_n"]) / 12e6
        else:
            wanted_m = -CLEARANCE_M - pins["screw_travel_m"]
        current_a = 150e3 * wanted_m - 0.06 * pins["motor_speed_radps"] + request_n * 0.8e-3
        self.port.write("motor_current_a", max(-CURRENT_MAX_A, min(CURRENT_MAX_A, current_a)))
        self.report(now_ns, ready, request_n)
        self.due_ns = now_ns + ms(1)

    def report(self, now_ns, ready, request_n):
        pins, radps = self.port.inputs, self.port.inputs["wheel_speed_radps"]
        state = ("ForceCtrl" if request_n else "Ready") if ready else "Init"
        force_n, quality = pins["clamp_force_n"], "Valid" if ready else "Init"
        speed_kmh = abs(radps) * WHEEL_RADIUS_M * 3.6
        direction = "Forward" if radps > 0.05 else "Backward" if radps < -0.05 else "Standstill"
        values = (force_n, quality, state, speed_kmh, "Valid", direction, 40_000.0, 1)
        self.status_1.send(self.port, now_ns, *values)
        self.status_2.send(self.port, now_ns, pins["supply_v"], "Passed" if ready else "Running")

    def next_deadline_ns(self):
        return self.due_ns
