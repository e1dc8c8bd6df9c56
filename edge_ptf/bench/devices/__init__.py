"""Devices to measure on: this machine, a device behind ssh or adb, an emulated processor. All have one interface."""

from __future__ import annotations

from edge_ptf.bench.devices.base import Device, DeviceOptions, Finished, open_device
from edge_ptf.bench.devices.facts import DeviceFacts

__all__ = ["Device", "DeviceFacts", "DeviceOptions", "Finished", "open_device"]
