"""Devices to measure on: this machine, one behind ssh or adb, an emulated processor. One interface for all."""

from __future__ import annotations

from edge_ptf.bench.devices.base import Device, DeviceOptions, Finished, open_device
from edge_ptf.bench.devices.facts import DeviceFacts

__all__ = ["Device", "DeviceFacts", "DeviceOptions", "Finished", "open_device"]
