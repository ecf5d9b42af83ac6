import JSON
import KubernetesModel
import Testing

@Suite("A timestamp")
struct TimestampTests {
    @Test(
        "reads RFC 3339 and prints UTC seconds",
        arguments: [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"), ("2026-11-22T21:36:08Z", "2026-11-22T21:36:08Z"),
            ("2026-11-22t21:36:08z", "2026-11-22T21:36:08Z"), ("2026-11-22T21:36:08+02:00", "2026-11-22T19:36:08Z"),
            ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"), ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"), ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("2026-01-01T00:00:00.999999999Z", "2026-01-01T00:00:00Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ])
    func reads(text: String, expected: String) throws {
        #expect(try #require(Timestamp(text)).description == expected)
    }

    @Test(
        "refuses what is none",
        arguments: [
            "", "2026", "2026-11-22", "2026-11-22T21:36:08", "2026-11-22 21:36:08Z", "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+0200", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+02",
            "26-01-01T00:00:00Z", "+026-01-01T00:00:00Z", "2026-1-01T00:00:00Z", "٢٠٢٦-01-01T00:00:00Z", "T",
        ])
    func refused(text: String) { #expect(Timestamp(text) == nil) }

    @Test("keeps fractions to the nanosecond, and prints microseconds for MicroTime")
    func fractions() throws {
        let time = try #require(Timestamp("2026-01-01T00:00:00.123456789Z"))
        #expect(time.microTime == "2026-01-01T00:00:00.123456Z")
        #expect(time - Timestamp(seconds: 1_767_225_600) == .nanoseconds(123_456_789))
        #expect(time.truncatedToSeconds.description == "2026-01-01T00:00:00Z")
        #expect(Timestamp(seconds: 0).microTime == "1970-01-01T00:00:00.000000Z")
        #expect(try #require(Timestamp("2026-01-01T00:00:00.5Z")).microTime.hasSuffix(".500000Z"))
        // More digits than there are nanoseconds.
        #expect(Timestamp("2026-01-01T00:00:00.1234567891111Z") == time)
    }

    @Test("every day of four centuries comes back")
    func days() throws {
        for day in stride(from: Int64(-146_097), through: 146_097, by: 1) {
            let time = Timestamp(seconds: day * 86_400 + 3_661)
            if Timestamp(time.description) != time { Issue.record("day \(day): \(time)") }
        }
        // Before the epoch a fraction still counts forward.
        let before = Timestamp(sinceEpoch: .milliseconds(-500))
        #expect(before.microTime == "1969-12-31T23:59:59.500000Z")
        #expect(before.truncatedToSeconds.description == "1969-12-31T23:59:59Z")
        #expect(Timestamp(before.microTime) == before)
    }
}

@Suite("Objects' metadata")
struct ObjectMetaTests {
    @Test("survives a round trip with every field set")
    func roundTrip() throws {
        let meta = ObjectMeta(
            name: "wine", namespace: "ml", uid: "u", resourceVersion: "5", generation: 3,
            creationTimestamp: Timestamp(seconds: 5), deletionTimestamp: Timestamp(seconds: 9), labels: ["a": "b"],
            annotations: ["c": "d"],
            ownerReferences: [
                OwnerReference(
                    apiVersion: "v1", kind: "K", name: "n", uid: "o", controller: true, blockOwnerDeletion: true),
                OwnerReference(apiVersion: "v1", kind: "K", name: "m", uid: "p"),
            ], finalizers: ["f"])
        #expect(try ObjectMeta(json: JSONCursor(meta.json)) == meta)
        #expect(meta.controller?.uid == "o")
        #expect(meta.isBeingDeleted)
        #expect(meta.key.description == "ml/wine")
        let bare = ObjectMeta(name: "x")
        #expect(try ObjectMeta(json: JSONCursor(bare.json)) == bare)
        #expect(bare.json == ["name": "x"])
    }

    @Test(
        "names the field that is wrong",
        arguments: [
            (#"{"name":5}"#, "metadata.name"), (#"{"labels":{"a":1}}"#, "metadata.labels.a"),
            (#"{"labels":[]}"#, "metadata.labels"), (#"{"creationTimestamp":"soon"}"#, "metadata.creationTimestamp"),
            (#"{"generation":1.5}"#, "metadata.generation"), (#"{"finalizers":["a",2]}"#, "metadata.finalizers[1]"),
            (#"{"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n"}]}"#, "metadata.ownerReferences[0].uid"),
            (#"[]"#, ""),
        ])
    func errors(text: String, path: String) throws {
        let cursor = JSONCursor(["metadata": try JSONValue(parsing: text)])["metadata"]
        if path.isEmpty {
            #expect(try ObjectMeta(json: cursor).name.isEmpty)
            return
        }
        let error = #expect(throws: JSONShapeError.self) { try ObjectMeta(json: cursor) }
        #expect(error?.path == path)
    }

    @Test("a resource type knows its paths")
    func paths() {
        #expect(
            ResourceType.pods.path(namespace: "ml", name: "a", subresource: "log") == "/api/v1/namespaces/ml/pods/a/log"
        )
        #expect(ResourceType.jobs.path() == "/apis/batch/v1/jobs")
        #expect(ResourceType.customResourceDefinitions.path(namespace: "x", name: "c").contains("namespaces") == false)
        #expect(ResourceType.jobs.description == "jobs.batch")
    }
}

@Suite("Conditions")
struct ConditionTests {
    private let early = Timestamp(sinceEpoch: .seconds(10) + .milliseconds(900))
    private let late = Timestamp(seconds: 20)

    @Test("the transition time moves only with the status")
    func transition() {
        var conditions: [Condition] = []
        conditions.set(Condition(type: "Ready", status: .false, reason: "A"), now: early)
        #expect(conditions["Ready"]?.lastTransitionTime == Timestamp(seconds: 10))
        conditions.set(Condition(type: "Ready", status: .false, reason: "B", message: "m"), now: late)
        #expect(conditions["Ready"]?.lastTransitionTime == Timestamp(seconds: 10))
        #expect(conditions["Ready"]?.reason == "B")
        conditions.set(Condition(type: "Ready", status: .true, reason: "B"), now: late)
        #expect(conditions["Ready"]?.lastTransitionTime == late)
        #expect(conditions.isTrue("Ready"))
        conditions.set(Condition(type: "Other", status: .unknown, reason: "C"), now: late)
        #expect(conditions.map(\.type) == ["Ready", "Other"])
        conditions.remove("Ready")
        #expect(conditions["Ready"] == nil)
    }

    @Test("survives a round trip, and reads an odd status as Unknown")
    func roundTrip() throws {
        let condition = Condition(
            type: "Ready", status: .unknown, observedGeneration: 4, lastTransitionTime: late, reason: "R", message: "m")
        #expect(try Condition(json: JSONCursor(condition.json)) == condition)
        let odd: JSONValue = ["type": "Ready", "status": "Maybe"]
        #expect(try Condition(json: JSONCursor(odd)).status == .unknown)
        #expect(throws: JSONShapeError(path: "c[1].type", message: "is required")) {
            try [Condition](json: JSONCursor([["type": "A", "status": "True"], ["status": "True"]], path: "c"))
        }
    }

    @Test("a Status survives a round trip, and other documents are none")
    func status() {
        let status = KubernetesStatus(
            code: 422, reason: "Invalid", message: "m",
            causes: [.init(reason: "FieldValueInvalid", message: "bad", field: "spec.x")], retryAfterSeconds: 3)
        #expect(KubernetesStatus(json: status.json) == status)
        #expect(KubernetesStatus(json: ["kind": "Pod"]) == nil)
        #expect(KubernetesStatus(json: .null) == nil)
        #expect(KubernetesStatus(json: ["kind": "Status", "code": "x", "details": []])?.code == 0)
        #expect(KubernetesStatus(code: 200, reason: "", message: "").json["status"] == "Success")
    }
}
