"""Reservations and volumes: operations on the agent's own resources."""

from __future__ import annotations

import recorded_master
from harness import eventually
from master_case import MasterTestCase
from volumes import create, destroy, reserve, unreserve
from wire import Message

RESOURCES = "cpus:2;mem:1024;disk:1024;ports:[31000-31100]"


class Recorded(MasterTestCase):
    def test_reserve_create_destroy_unreserve(self) -> None:
        """Every message as the Apache Mesos agent sent it at the same step."""
        self.join({"resources": RESOURCES, "registration_backoff_factor": "1secs"})
        recorded_master.drive(self.master, "reserve-create-destroy-unreserve")
        recorded_master.compare(self, "reserve-create-destroy-unreserve", self.master,
                                [self.master.id], self.agent.address[1], [])


class Operations(MasterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.join({"resources": RESOURCES})

    def reregistered(self) -> tuple[Message, Message]:
        """Have the agent register again: that message, and the update after it."""
        self.master.ping(connected=False)
        return (self.master.expect("ReregisterSlaveMessage").message,
                self.master.expect("UpdateSlaveMessage").message)

    def test_data_stays(self) -> None:
        """A volume's directory is made, lives through restarts, and goes with the volume."""
        self.finish(reserve(), create())
        directory = self.agent.work_dir / "volumes" / "roles" / "r" / "v1"
        (directory / "file").write_text("one")
        self.agent.restart()
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        self.assertEqual("one", (directory / "file").read_text())
        # Nothing is left of the reservation for another.
        self.assertEqual("OPERATION_FAILED", self.apply(create("v2"))["status"]["state"])
        self.assertFalse((directory.parent / "v2").exists())
        self.finish(destroy())
        eventually(lambda: not directory.exists(), "the volume's directory is gone")
        self.finish(unreserve())

    def test_what_the_master_is_told(self) -> None:
        """Reservations and volumes are named apart from the agent's own resources."""
        own = self.master.all_of("RegisterSlaveMessage")[0].message["slave"]["resources"]
        self.finish(reserve(), create())
        again, _ = self.reregistered()
        self.assertEqual(own, again["slave"]["resources"])
        (resource,) = again["checkpointed_resources"]
        self.assertEqual(("disk", "v1", 64.0), (
            resource["name"], resource["disk"]["persistence"]["id"], resource["scalar"]["value"]))
        self.finish(destroy(), unreserve())
        again, _ = self.reregistered()
        self.assertEqual([], again.get("checkpointed_resources", []))

    def test_status_is_repeated_until_it_is_acknowledged(self) -> None:
        self.master.acknowledging_operations = False
        framework = self.master.subscribe(role="r")
        status = self.apply({**reserve(), "id": {"value": "mine"}}, framework=framework)
        self.assertEqual({"value": framework.id}, status["framework_id"])
        self.assertEqual({"value": "mine"}, status["status"]["operation_id"])
        self.assertEqual(self.master.slave_id, status["slave_id"])
        # Known to the master as long as it is not acknowledged, and sent again.
        _, update = self.reregistered()
        (operation,) = update["operations"]["operations"]
        self.assertEqual(status["operation_uuid"], operation["uuid"])
        self.assertEqual("OPERATION_FINISHED", operation["latest_status"]["state"])
        again = self.master.expect("UpdateOperationStatusMessage").message
        self.assertEqual(status["status"]["uuid"], again["status"]["uuid"])
        # Also after the agent was killed.
        self.agent.restart()
        self.master.expect("ReregisterSlaveMessage")
        self.await_registered()
        third = self.master.expect("UpdateOperationStatusMessage").message
        self.assertEqual(status["status"]["uuid"], third["status"]["uuid"])
        self.master.acknowledge_operation(status)
        eventually(lambda: not self.reregistered()[1]["operations"].get("operations"),
                   "it is forgotten")

    def test_reconciliation(self) -> None:
        """Of an operation that never came."""
        self.master.reconcile_operations(b"0123456789abcdef")
        answer = self.master.expect("UpdateOperationStatusMessage").message
        self.assertEqual("OPERATION_DROPPED", answer["status"]["state"])
        self.assertEqual({"value": b"0123456789abcdef"}, answer["operation_uuid"])
        self.assertNotIn("uuid", answer["status"])
        self.assertNotIn("framework_id", answer)

    def test_what_cannot_be_done(self) -> None:
        """Nothing is made of what is not there, and the agent goes on."""
        self.apply(create())
        self.assertFalse((self.agent.work_dir / "volumes" / "roles" / "r" / "v1").exists())
        self.finish(reserve())


if __name__ == "__main__":
    import run
    run.main([__file__])
