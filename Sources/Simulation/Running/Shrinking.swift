import APIServerModel

extension Simulation {
    /// The same with as few faults as still lead to a violation of the same invariant: half of them are left out, then
    /// a quarter, at last each one.
    public func shrunk(on template: APIServer, reference: Outcome?, violating invariant: String) async -> Simulation {
        var best = self
        var size = max(1, best.faults.count / 2)
        while true {
            var index = 0
            var hasShrunk = false
            while index < best.faults.count {
                var tried = best
                tried.faults.removeSubrange(index..<min(index + size, best.faults.count))
                let outcome = await tried.run(on: template, reference: reference)
                if outcome.violation?.invariant == invariant {
                    best = tried
                    hasShrunk = true
                } else {
                    index += size
                }
            }
            if size == 1, !hasShrunk { return best }
            size = max(1, size / 2)
        }
    }
}
