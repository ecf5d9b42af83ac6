import JSON
import KubernetesModel

/// The fields of a `coordination.k8s.io/v1` Lease that say who leads.
public struct LeaseRecord: Sendable, Hashable {
    /// Who leads; empty when nobody does.
    public var holder: String
    /// How long others leave the holder alone after its last renewal, in seconds.
    public var durationSeconds: Int
    /// When the holder began to lead, by its own clock.
    public var acquireTime: Timestamp?
    /// When it last said so, by its own clock. No decision is made by it: clocks differ.
    public var renewTime: Timestamp?
    /// How often another one has begun to lead.
    public var transitions: Int

    /// A record of these fields.
    public init(
        holder: String, durationSeconds: Int, acquireTime: Timestamp? = nil, renewTime: Timestamp? = nil,
        transitions: Int = 0
    ) {
        self.holder = holder
        self.durationSeconds = durationSeconds
        self.acquireTime = acquireTime
        self.renewTime = renewTime
        self.transitions = transitions
    }

    /// Reads a Lease; what is missing is as if nobody led.
    public init(json: JSONValue) throws(JSONShapeError) {
        let spec = JSONCursor(json)["spec"]
        holder = try spec["holderIdentity"].optionalString() ?? ""
        durationSeconds = try spec["leaseDurationSeconds"].optionalInt() ?? 0
        acquireTime = try spec["acquireTime"].optionalTimestamp()
        renewTime = try spec["renewTime"].optionalTimestamp()
        transitions = try spec["leaseTransitions"].optionalInt() ?? 0
    }

    /// The Lease's `spec`.
    public var spec: JSONValue {
        var spec: JSONValue = [
            "holderIdentity": .string(holder), "leaseDurationSeconds": JSONValue(durationSeconds),
            "leaseTransitions": JSONValue(transitions),
        ]
        if let acquireTime { spec["acquireTime"] = .string(acquireTime.microTime) }
        if let renewTime { spec["renewTime"] = .string(renewTime.microTime) }
        return spec
    }
}
