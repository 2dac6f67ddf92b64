"""Public client libraries of the statistics interface, pointed at a centre of many machines: what they know of one host,
they see of the fleet."""

import json

from client import wait_until
from clients_test import install_packages, run
from fleet_test import FleetCase, finds
from service_case import main


class ClientLibraries(FleetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        install_packages()

    def call(self, what):
        return json.loads(run(["node", "statistics.mjs", self.service.statistics_url, self.host.key_id, self.host.secret,
                               what]))

    def test_they_see_the_whole_fleet(self):
        made = self.machines("one", "two", "three")
        self.assertIn("RequestId", self.call("create"))
        wait_until(lambda: all(machine.created == 1 for machine in made), 30, "the orders")
        made[0].end_scan(finds(3))
        made[1].end_scan()
        middle = self.wait_for(CompleteMachine=2)
        for library, body in self.call("numbers").items():
            self.assertEqual({name: body["Data"][name] for name in middle}, middle, library)
        made[2].end_scan()
        self.wait_for(Status=100)
        for library, body in self.call("numbers").items():
            self.assertEqual(body["Data"], self.data(), library)
        for lists in self.call("lists").values():
            self.assertEqual(lists["ListVirusScanTask"]["PageInfo"]["TotalCount"], 1)
            self.assertEqual([(row["InstanceName"], row["EventCount"]) for row in lists["ListVirusScanMachine"]["Data"]],
                             [(made[0].name, 3)])
            self.assertEqual(self.paths(lists["ListVirusScanMachineEvent"]["Data"]), [path for _, path in finds(3)])


if __name__ == "__main__":
    main()
