"""All targets of the fuzzer, by name."""

from tests.fuzz import dns_targets, door_targets, protocol_targets, text_targets, zone_targets

TARGETS = {
    target.name: target
    for module in (protocol_targets, door_targets, zone_targets, dns_targets, text_targets)
    for target in module.TARGETS
}
