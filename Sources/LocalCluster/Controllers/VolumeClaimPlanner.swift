import JSON
import KubernetesModel

/// Binds every PersistentVolumeClaim at once to a volume of its own, a directory below `directory`, and deletes the
/// volume when its claim is gone.
public struct VolumeClaimPlanner: Sendable {
    public static let provisioner = "assay.dev/local"
    public static let storageClass = "local"

    /// Absolute path.
    public var directory: String

    public init(directory: String) { self.directory = directory }

    /// - Parameter volume: the one that is named for the claim, if there is one.
    public func plan(claim: JSONValue, volume: JSONValue?, now: Timestamp) -> ControllerPlan {
        var plan = ControllerPlan()
        if claim.isTerminating || claim["status", "phase"]?.string == "Bound" { return plan }
        let wanted = claim["spec", "volumeName"]?.string ?? ""
        let name = wanted.isEmpty ? Self.volumeName(claim) : wanted
        // A volume that the user names must be there already.
        if volume == nil && name == Self.volumeName(claim) {
            plan.actions.append(.create(.persistentVolumes, makeVolume(for: claim), owner: claim))
            plan.event(claim, "ProvisioningSucceeded", "Successfully provisioned volume \(name)")
        } else if volume == nil {
            return plan
        }
        var patch: JSONValue = [
            "metadata": [
                "resourceVersion": .string(claim.resourceVersion),
                "annotations": [
                    "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
                    "volume.kubernetes.io/storage-provisioner": .string(Self.provisioner),
                ],
            ]
        ]
        patch["spec", "volumeName"] = .string(name)
        plan.actions.append(.patch(.persistentVolumeClaims, claim.key, patch))
        var changed = claim.merging(patch: patch)
        changed["status"] = [
            "phase": "Bound", "accessModes": claim["spec", "accessModes"] ?? [],
            "capacity": ["storage": volume?["spec", "capacity", "storage"] ?? Self.request(claim)],
        ]
        plan.actions.append(.replaceStatus(.persistentVolumeClaims, changed))
        return plan
    }

    /// - Parameter claim: the one that the volume is for, nil when there is none of that UID any more.
    public func plan(volume: JSONValue, claim: JSONValue?, now: Timestamp) -> ControllerPlan {
        var plan = ControllerPlan()
        guard volume.annotations["pv.kubernetes.io/provisioned-by"] == Self.provisioner, !volume.isTerminating else {
            return plan
        }
        if claim == nil {
            if volume["spec", "persistentVolumeReclaimPolicy"]?.string == "Delete" {
                plan.actions.append(.delete(.persistentVolumes, volume.key, uid: volume.uid, .background))
            } else {
                setPhase("Released", of: volume, &plan)
            }
        } else {
            setPhase("Bound", of: volume, &plan)
        }
        return plan
    }

    private func setPhase(_ phase: String, of volume: JSONValue, _ plan: inout ControllerPlan) {
        if volume["status", "phase"]?.string == phase { return }
        var changed = volume
        changed["status", "phase"] = .string(phase)
        plan.actions.append(.replaceStatus(.persistentVolumes, changed))
    }

    public static func volumeName(_ claim: JSONValue) -> String { "pvc-\(claim.uid)" }

    private static func request(_ claim: JSONValue) -> JSONValue {
        claim["spec", "resources", "requests"]?["storage"] ?? "1Gi"
    }

    private func makeVolume(for claim: JSONValue) -> JSONValue {
        let name = Self.volumeName(claim)
        return [
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": [
                "name": .string(name), "annotations": ["pv.kubernetes.io/provisioned-by": .string(Self.provisioner)],
            ],
            "spec": [
                "capacity": ["storage": Self.request(claim)],
                "accessModes": claim["spec", "accessModes"] ?? ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": claim["spec", "storageClassName"] ?? .string(Self.storageClass),
                "volumeMode": claim["spec", "volumeMode"] ?? "Filesystem",
                "hostPath": ["path": .string("\(directory)/\(name)"), "type": "DirectoryOrCreate"],
                "claimRef": [
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": .string(claim.name),
                    "namespace": .string(claim.namespace ?? ""), "uid": .string(claim.uid),
                ],
            ],
        ]
    }
}
