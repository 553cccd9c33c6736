"""The brake in the vehicle: what the requirements say of it."""

import pytest
from simcore import EcuSilent, ms, s


@pytest.mark.requirement("BRK-001", "BRK-005")
def test_the_car_stops(rig, dut):
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    stop = rig.measure_stop(pedal_pct=60, timeout=s(10))
    rig.check("BRK-001", stop.distance_m <= 70, measured=stop.distance_m, limit="<= 70 m")
    assert rig.signal("EMB_FL_St1", "EMB_FL_FActQf") == 3


@pytest.mark.requirement("BRK-004")
def test_it_lets_go(rig, dut):
    rig.vehicle.set_speed(kmh=50)
    rig.run_for(ms(300))
    rig.press_pedal(40)
    rig.run_for(ms(400))
    assert dut.pin("clamp_force_n") > 2000
    release = rig.measure_release(timeout=s(1))
    rig.check("BRK-004", release.duration_ms <= 150, measured=release.duration_ms, limit="150 ms")


@pytest.mark.requirement("COM-004")
@pytest.mark.faults(EcuSilent(node="CDC").at(ms(600)), EcuSilent(node="BPS").at(ms(600)))
def test_it_never_brakes_by_itself(rig, dut, fault):
    rig.inject(fault)
    rig.vehicle.set_speed(kmh=50)
    rig.run_for(s(1))
    assert dut.pin("clamp_force_n") < 500


@pytest.mark.requirement("DIA-001")
def test_a_python_can_program_sees_it(chassis_bus, dut):
    status = dut.rig.database.message(f"{dut.node}_St1")
    chassis_bus.set_filters([{"can_id": status.arbitration_id, "can_mask": 0x7FF}])
    message = chassis_bus.recv(timeout=0.1)
    assert message is not None and len(message.data) == status.length
