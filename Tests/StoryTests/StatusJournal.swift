import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel

/// Reads every status that is written to objects of both kinds, and holds each against the rules of the house.
final class StatusJournal: Sendable {
    private struct State {
        var count = 0
        var breaches: [String] = []
        var observed: [String: Int64] = [:]
    }

    private let state = Locked(State())

    var count: Int { state.withLock { $0.count } }
    var breaches: [String] { state.withLock { $0.breaches } }

    /// Watches until cancelled, from the very beginning.
    func run(_ client: KubernetesClient, _ namespace: String) async {
        await withTaskGroup(of: Void.self) { group in
            for type in [ResourceType.trainingJobs, .mlModels] {
                group.addTask { await self.watch(client, type, namespace) }
            }
        }
    }

    private func watch(_ client: KubernetesClient, _ type: ResourceType, _ namespace: String) async {
        do {
            try await client.follow(type, in: namespace) { take($0) }
        } catch {
            if !Task.isCancelled { state.withLock { $0.breaches.append("the journal broke off: \(error)") } }
        }
    }

    private func take(_ object: JSONValue) {
        let uid = object["metadata", "uid"]?.string ?? ""
        state.withLock { state in
            let before = state.observed[uid]
            let found = Self.breaches(object, observedBefore: before)
            state.count += 1
            state.observed[uid] = object["status", "observedGeneration"]?.integer
            let name = "\(object["kind"]?.string ?? "") \(object["metadata", "name"]?.string ?? "")"
            state.breaches += found.map { "\(name): \($0): \(object["status"]?.serialized() ?? "")" }
        }
    }

    /// What is wrong with a status, by the API conventions, kstatus and the table of situations in the documentation.
    static func breaches(_ object: JSONValue, observedBefore: Int64?) -> [String] {
        var result: [String] = []
        func rule(_ holds: Bool, _ text: String) { if !holds { result.append(text) } }
        let generation = object["metadata", "generation"]?.integer ?? 0
        guard let observed = object["status", "observedGeneration"]?.integer else {
            return ["there is no observedGeneration"]
        }
        rule(observed <= generation, "observedGeneration is beyond the generation")
        rule(observed >= observedBefore ?? -1, "observedGeneration fell")
        if observed == -1 { return result }

        let conditions: [Condition]
        do throws(JSONShapeError) {
            conditions = try [Condition](json: JSONCursor(object)["status"]["conditions"])
        } catch {
            return ["a condition cannot be read: \(error)"]
        }
        rule(Set(conditions.map(\.type)).count == conditions.count, "a condition stands twice")
        for condition in conditions {
            rule(!condition.reason.isEmpty, "\(condition.type) has no reason")
            rule(condition.lastTransitionTime != nil, "\(condition.type) has no time")
            rule(condition.observedGeneration ?? 0 <= generation, "\(condition.type) is of a generation to come")
        }
        for type in ["Reconciling", "Stalled"] {
            rule(conditions[type].map { $0.status == .true } ?? true, "\(type) stands though it is not true")
        }
        rule(!(conditions.isTrue("Reconciling") && conditions.isTrue("Stalled")), "Reconciling and Stalled at once")
        rule(conditions["Ready"] != nil, "there is no Ready")
        rule((object["status"]?.serializedBytes().count ?? 0) < 100_000, "it is over 100 kB")

        let phase = KStatus.compute(object).phase
        if observed == generation, object["metadata", "deletionTimestamp"] == nil {
            if conditions.isTrue("Stalled") { rule(phase == .failed, "stalled, but kstatus reads \(phase)") }
            if conditions.isTrue("Reconciling") {
                rule(phase == .inProgress, "reconciling, but kstatus reads \(phase)")
            }
            if object["status", "phase"]?.string == "Serving", !conditions.isTrue("Reconciling"),
                !conditions.isTrue("Stalled")
            {
                rule(phase == .current, "serving, but kstatus reads \(phase)")
            }
        }
        return result
    }
}
