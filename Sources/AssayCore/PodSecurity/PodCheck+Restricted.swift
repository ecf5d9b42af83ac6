import JSON

extension PodCheck {
    private static let volumeTypes: Set<String> = [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
    ]
    private static let seccompTypes: Set<String> = ["RuntimeDefault", "Localhost"]

    mutating func restricted() {
        for volume in volumes {
            for (type, _) in volume.json.object ?? [:] where type != "name" && type != "hostPath" {
                guard !Self.volumeTypes.contains(type) else { continue }
                refuse("\(volume.path).\(type)", "volumes of this type are not allowed under the restricted level")
            }
        }
        runAsNonRoot()
        seccompRequired()
        // Linux only: Windows has neither (the standard, since 1.25).
        guard spec["os", "name"] != "windows" else { return }
        for container in containers {
            if container.security["allowPrivilegeEscalation"] != false {
                refuse(
                    "\(container.securityPath).allowPrivilegeEscalation", "must be false under the restricted level")
            }
            restrictedCapabilities(container)
        }
    }

    private mutating func restrictedCapabilities(_ container: Container) {
        let drop = container.security["capabilities", "drop"]?.array ?? []
        if !drop.contains("ALL") {
            refuse("\(container.securityPath).capabilities.drop", "must contain ALL under the restricted level")
        }
        for (index, entry) in (container.security["capabilities", "add"]?.array ?? []).enumerated()
        where entry != "NET_BIND_SERVICE" {
            refuse(
                "\(container.securityPath).capabilities.add[\(index)]",
                "only NET_BIND_SERVICE may be added under the restricted level")
        }
    }

    private mutating func runAsNonRoot() {
        let ofPod = spec["securityContext", "runAsNonRoot"]
        if let ofPod, ofPod == false {
            refuse("\(path).securityContext.runAsNonRoot", "must be true under the restricted level")
        }
        for container in containers {
            let own = container.security["runAsNonRoot"]
            if own == false || ((own == nil || own == .null) && (ofPod == nil || ofPod == .null)) {
                refuse("\(container.securityPath).runAsNonRoot", "must be true under the restricted level")
            }
        }
        for (json, path) in securityContexts where json["runAsUser"]?.integer == 0 {
            refuse("\(path).runAsUser", "must not be 0 under the restricted level")
        }
    }

    private mutating func seccompRequired() {
        let ofPod = spec["securityContext", "seccompProfile", "type"]?.string
        if let ofPod, !Self.seccompTypes.contains(ofPod), ofPod != "Unconfined" {
            refuse("\(path).securityContext.seccompProfile.type", "must be RuntimeDefault or Localhost")
        }
        guard spec["os", "name"] != "windows" else { return }
        for container in containers {
            let own = container.security["seccompProfile", "type"]?.string
            // Unconfined has been refused by the baseline already.
            if own == nil, ofPod == nil || ofPod.map(Self.seccompTypes.contains) == false, ofPod != "Unconfined" {
                refuse(
                    "\(container.securityPath).seccompProfile.type",
                    "must be RuntimeDefault or Localhost under the restricted level, here or in the pod's "
                        + "securityContext")
            } else if let own, !Self.seccompTypes.contains(own), own != "Unconfined" {
                refuse("\(container.securityPath).seccompProfile.type", "must be RuntimeDefault or Localhost")
            }
        }
    }
}
