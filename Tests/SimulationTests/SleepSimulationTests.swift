import Simulation
import Testing

/// Models behind gateways, which sleep and are woken; `simulate --sleep` runs many more.
@Suite struct SleepSimulationTests {
    @Test(arguments: Story.sleeping + Story.bounded) func whereNothingGoesWrongEveryRequestIsAnswered(_ story: Story)
        async
    {
        let outcome = await Simulation(seed: 1, story: story).run(on: SimulationTests.template)
        #expect(outcome.violation == nil)
        #expect(outcome.wakeUps >= 3, "it slept between the requests")
        let requests = outcome.requests
        #expect(requests.all > 50 && requests.refused == 0 && requests.broken == 0)
        #expect(requests.served + requests.unreached == requests.all)
    }

    /// Each of these was a violation once: writes that came late sent a model to sleep that had been called back (347, 1167,
    /// 1737), a Service was led to pods that slept (877), and a gateway gave up after two conflicts (2407).
    @Test(arguments: [347, 877, 1167, 1737, 2407] as [UInt64]) func whatWasFoundStaysMended(_ seed: UInt64) async {
        let simulation = Simulation(seed: seed)
        let reference = await Simulation(seed: 1, story: simulation.story).run(on: SimulationTests.template)
        let outcome = await simulation.run(on: SimulationTests.template, reference: reference)
        #expect(outcome.violation == nil)
        #expect(outcome.wakeUps > 0 && outcome.requests.served > 0)
    }

    @Test func oneSeedInTenIsAStoryOfSleep() {
        for seed in UInt64(0)..<100 {
            let isSleep = Story.sleeping.contains(Simulation(seed: seed).story)
            #expect(isSleep == Simulation.isSleeping(seed: seed))
        }
    }
}
