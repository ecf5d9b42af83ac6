import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Testing

@Suite("A store", .timeLimit(.minutes(1)))
struct StoreTests {
    private func list(_ store: Store<TestPod>, _ items: [JSONValue], version: String) {
        store.beginList()
        store.stage(items)
        store.finishList(resourceVersion: version)
    }

    @Test("tells only what a re-list really changed")
    func relist() {
        let store = Store<TestPod>()
        let log = ChangeLog(store)
        list(store, [pod("a", "1"), pod("b", "2"), pod("c", "3")], version: "5")
        #expect(log.waiting == ["+a@1", "+b@2", "+c@3"])
        list(store, [pod("a", "1"), pod("b", "7"), pod("c", "8", uid: "other")], version: "9")
        #expect(log.waiting.dropFirst(3) == ["~b@2>7", "-c@3", "+c@8"])
        list(store, [pod("b", "7")], version: "12")
        #expect(log.waiting.dropFirst(6) == ["-a@1", "-c@8"])
        #expect(store.count == 1)
        #expect(store.observedVersion == "12")
    }

    @Test("shows nothing of a list before it is whole, and forgets one that was begun anew")
    func staging() {
        let store = Store<TestPod>()
        list(store, [pod("old", "1")], version: "1")
        store.beginList()
        store.stage([pod("lost", "2")])
        #expect(store.all().map(\.metadata.name) == ["old"])
        store.beginList()
        store.stage([pod("new", "3")])
        #expect(store.get(key("old")) != nil)
        store.finishList(resourceVersion: "4")
        #expect(store.all().map(\.metadata.name) == ["new"])
    }

    @Test("a re-list without news is no news, also for objects in quarantine")
    func quietRelist() {
        let store = Store<TestPod>()
        var bad = pod("bad", "1")
        bad["metadata", "labels"] = ["strict": "yes"]
        store.beginList()
        #expect(store.stage([bad, pod("a", "1")]).map(\.0) == [key("bad")])
        store.finishList(resourceVersion: "2")
        let log = ChangeLog(store)
        store.beginList()
        #expect(store.stage([bad, pod("a", "1")]).isEmpty, "reported once")
        store.finishList(resourceVersion: "3")
        #expect(log.waiting == ["+a@1"])
        #expect(Set(store.quarantined.keys) == [key("bad")])
        list(store, [pod("a", "1")], version: "4")
        #expect(store.quarantined.isEmpty)
    }

    @Test("a new object under an old name that cannot be read takes the old one away")
    func undecodableReplacement() {
        let store = Store<TestPod>()
        list(store, [pod("a", "1")], version: "1")
        let log = ChangeLog(store)
        var replacement = pod("a", "5", uid: "other")
        replacement["metadata", "labels"] = ["strict": "yes"]
        store.apply(replacement)
        #expect(log.waiting == ["+a@1", "-a@1"])
        #expect(store.get(key("a")) == nil)
    }

    @Test("survives documents that are no objects")
    func garbage() {
        let store = Store<TestPod>()
        for document in [.null, 5, "x", [], [:], ["metadata": 3], ["metadata": ["name": 3]], ["metadata": [:]]]
            as [JSONValue]
        {
            store.apply(document)
            store.delete(document)
        }
        list(store, [.null, pod("a", "1"), ["metadata": ["labels": [1]]]], version: "2")
        #expect(store.all().map(\.metadata.name) == ["a"])
        #expect(store.undecodableCount > 5)
    }

    @Test("finds objects by owner, through changes of owners, uids and deletion")
    func owners() {
        let store = Store<TestPod>()
        list(store, [pod("b", "1", owner: "j1"), pod("a", "2", owner: "j1"), pod("c", "3", owner: "j2")], version: "3")
        #expect(store.owned(by: "j1").map(\.metadata.name) == ["a", "b"])
        #expect(store.controlled(by: "j2").map(\.metadata.name) == ["c"])
        store.apply(pod("a", "4", owner: "j2"))
        #expect(store.owned(by: "j1").map(\.metadata.name) == ["b"])
        #expect(store.owned(by: "j2").map(\.metadata.name) == ["a", "c"])
        store.delete(pod("b", "5", owner: "j1"))
        #expect(store.owned(by: "j1").isEmpty)
        store.apply(pod("c", "6", uid: "other"))
        #expect(store.owned(by: "j2").map(\.metadata.name) == ["a"])
        list(store, [], version: "9")
        #expect(store.owned(by: "j2").isEmpty)
        // An owner that does not control.
        var shared = pod("s", "10")
        shared["metadata", "ownerReferences"] = [
            OwnerReference(apiVersion: "v1", kind: "ConfigMap", name: "m", uid: "m1").json
        ]
        store.apply(shared)
        #expect(store.owned(by: "m1").count == 1)
        #expect(store.controlled(by: "m1").isEmpty)
    }

    @Test("its owner index agrees with its objects after any sequence of events")
    func ownerIndexProperty() {
        var random = SeededGenerator(seed: 11)
        let store = Store<TestPod>()
        for step in 1...3000 {
            let name = "p\(Int.random(in: 0..<20, using: &random))"
            let owner = Int.random(in: 0..<4, using: &random)
            let uid = "\(name)-\(Int.random(in: 0..<2, using: &random))"
            let object = pod(name, "\(step)", uid: uid, owner: owner == 0 ? nil : "o\(owner)")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6: store.apply(object)
            case 6..<9: store.delete(object)
            default: list(store, [object, pod("extra", "\(step)", owner: "o1")], version: "\(step)")
            }
            for owner in ["o1", "o2", "o3"] {
                let expected = store.all().filter { $0.metadata.ownerReferences.contains { $0.uid == owner } }
                #expect(store.owned(by: owner).map(\.metadata.key) == expected.map(\.metadata.key).sorted())
            }
        }
    }

    @Test("knows whether it has seen what was written, by number")
    func ownWrites() {
        let store = Store<TestPod>()
        list(store, [pod("a", "5")], version: "10")
        #expect(store.hasSeenOwnWrites(key("a")))
        store.noteWritten(key("a"), resourceVersion: "12")
        #expect(!store.hasSeenOwnWrites(key("a")))
        store.apply(pod("a", "11"))
        #expect(!store.hasSeenOwnWrites(key("a")))
        store.apply(pod("a", "12"))
        #expect(store.hasSeenOwnWrites(key("a")))
        #expect(store.pendingWriteCount == 0)
        // Another object's later event, and a bookmark, prove it as well: a kind's events come in order.
        store.noteWritten(key("a"), resourceVersion: "13")
        store.apply(pod("b", "14"))
        #expect(store.hasSeenOwnWrites(key("a")))
        store.noteWritten(key("a"), resourceVersion: "100")
        store.bookmark("99")
        #expect(!store.hasSeenOwnWrites(key("a")))
        store.bookmark("100")
        #expect(store.hasSeenOwnWrites(key("a")))
        // A write that creates an object which was deleted at once.
        store.noteWritten(key("n"), resourceVersion: "101")
        #expect(!store.hasSeenOwnWrites(key("n")))
        store.delete(pod("n", "102"))
        #expect(store.hasSeenOwnWrites(key("n")))
    }

    @Test("tells that what was written is gone, where nothing else would")
    func lostWrites() throws {
        let store = Store<TestPod>()
        list(store, [pod("a", "5")], version: "10")
        let log = ChangeLog(store)
        func write(_ name: String, _ version: String) throws {
            store.noteWritten(key(name), resourceVersion: version, as: try TestPod(json: pod(name, version)))
        }
        // Made and deleted while the watch was away.
        try write("b", "11")
        list(store, [pod("a", "5")], version: "13")
        #expect(log.waiting.dropFirst() == ["-b@11"])
        // Shown before, so that the list alone tells of it.
        try write("a", "14")
        list(store, [], version: "16")
        #expect(log.waiting.dropFirst(2) == ["-a@5"])
        // The answer to the write comes after the list that lacks it.
        try write("c", "15")
        #expect(log.waiting.dropFirst(3) == ["-c@15"])
        // Another object took the name.
        try write("d", "17")
        list(store, [pod("d", "19", uid: "other")], version: "20")
        #expect(log.waiting.dropFirst(4) == ["+d@19", "-d@17"])
        // Only the deletion is seen.
        try write("e", "21")
        store.delete(pod("e", "22"))
        #expect(log.waiting.dropFirst(6) == ["-e@21"])
        // A list that was begun before the write may lack it.
        store.beginList()
        try write("f", "23")
        store.finishList(resourceVersion: "22")
        #expect(!log.waiting.contains("-f@23"))
        list(store, [pod("f", "23")], version: "24")
        #expect(log.waiting.last == "+f@23")
        #expect(store.pendingWriteCount == 0)
    }

    @Test("compares versions that are no numbers for equality only, and a list begun later settles them")
    func opaqueVersions() {
        let store = Store<TestPod>()
        list(store, [pod("a", "x1")], version: "l1")
        store.noteWritten(key("a"), resourceVersion: "x3")
        store.apply(pod("a", "x2"))
        #expect(!store.hasSeenOwnWrites(key("a")))
        store.apply(pod("a", "x3"))
        #expect(store.hasSeenOwnWrites(key("a")))
        store.noteWritten(key("a"), resourceVersion: "x5")
        // The write came after this list began, so the list may lack it.
        store.beginList()
        store.noteWritten(key("b"), resourceVersion: "x6")
        store.stage([pod("a", "x9")])
        store.finishList(resourceVersion: "l2")
        #expect(store.hasSeenOwnWrites(key("a")))
        #expect(!store.hasSeenOwnWrites(key("b")))
        store.forgetWritten(key("b"))
        #expect(store.hasSeenOwnWrites(key("b")))
    }

    @Test(
        "orders versions as KEP-5504 says",
        arguments: [
            ("10", "9", true), ("9", "10", false), ("10", "10", true), ("abc", "abc", true), ("abc", "9", nil),
            ("10", "09", nil), ("", "1", nil), ("0", "1", nil), ("18446744073709551615", "1", true),
            ("18446744073709551616", "1", nil), ("+5", "1", nil), ("-5", "1", nil),
        ] as [(String, String, Bool?)])
    func versions(observed: String, written: String, expected: Bool?) {
        #expect(ResourceVersion.covers(observed, written) == expected)
    }

    @Test("lets many wait for its first list, and each give up")
    func sync() async throws {
        let store = Store<TestPod>()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await store.waitForSync()
                    return true
                }
            }
            list(store, [], version: "1")
            for try await result in group { #expect(result) }
        }
        #expect(store.hasSynced)
        let never = Store<TestPod>()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await never.waitForSync() }
            }
            group.cancelAll()
        }
    }

    @Test("tells a late subscriber what there is")
    func lateSubscriber() {
        let store = Store<TestPod>()
        list(store, [pod("a", "1")], version: "1")
        let log = ChangeLog(store)
        store.apply(pod("a", "2"))
        #expect(log.waiting == ["+a@1", "~a@1>2"])
    }

    @Test("handlers can tell the first list from what comes later")
    func backlog() {
        let store = Store<TestPod>()
        let seen = Locked<[Bool]>([])
        store.subscribe { _ in
            let hasSynced = store.hasSynced
            seen.withLock { $0.append(hasSynced) }
        }
        list(store, [pod("a", "1")], version: "1")
        store.apply(pod("b", "2"))
        #expect(seen.withLock { $0 } == [false, true])
    }

    @Test("an event that came before does not come again")
    func duplicate() {
        let store = Store<TestPod>()
        store.apply(pod("a", "1"))
        let log = ChangeLog(store)
        store.apply(pod("a", "1"))
        #expect(log.waiting == ["+a@1"])
    }

    @Test("readers always see one list or the next, never a mixture")
    func atomicSwap() async {
        let store = Store<TestPod>()
        let names = (0..<50).map { "p\($0)" }
        list(store, names.map { pod($0, "1", uid: "g0-\($0)") }, version: "1")
        let stop = Locked(false)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    while !stop.withLock({ $0 }) {
                        let generations = Set(store.all().map { $0.metadata.uid.prefix { $0 != "-" } })
                        #expect(generations.count == 1)
                        await Task.yield()
                    }
                }
            }
            group.addTask {
                for round in 1...100 {
                    store.beginList()
                    for half in [names.prefix(25), names.suffix(25)] {
                        store.stage(half.map { pod($0, "\(round + 1)", uid: "g\(round)-\($0)") })
                        await Task.yield()
                    }
                    store.finishList(resourceVersion: "\(round)")
                }
                stop.withLock { $0 = true }
            }
        }
    }
}
