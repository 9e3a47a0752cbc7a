"""An agent that is started again, and its master."""

from __future__ import annotations

from master_case import MasterTestCase


class Identity(MasterTestCase):
    def test_the_id_is_kept(self) -> None:
        self.join()
        slave_id = self.master.slave_id
        first = self.master.all_of("RegisterSlaveMessage")[-1].message
        self.agent.restart()
        again = self.master.expect("ReregisterSlaveMessage").message
        self.await_registered()
        self.assertEqual(slave_id, again["slave"]["id"])
        self.assertEqual({**first["slave"], "id": slave_id}, again["slave"])
        self.assertEqual(first["agent_capabilities"], again["agent_capabilities"])
        # Of the process, not of the agent.
        self.assertNotEqual(first["resource_version_uuid"], again["resource_version_uuid"])
        self.assertEqual(1, len({r.message["slave"].get("id", {}).get("value")
                                 for r in self.master.all_of("ReregisterSlaveMessage")}))


if __name__ == "__main__":
    import run
    run.main([__file__])
