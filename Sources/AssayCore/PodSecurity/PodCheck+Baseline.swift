import JSON

extension PodCheck {
    private static let capabilities: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]
    private static let seLinuxTypes: Set<String> = [
        "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t",
    ]
    private static let sysctls: Set<String> = [
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    ]
    private static let appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"

    mutating func baseline() {
        hostProcess()
        capabilitiesOfBaseline()
        hostPortsAndHandlers()
        appArmor()
        seLinux()
        procMount()
        for (json, path) in securityContexts where json["seccompProfile", "type"] == "Unconfined" {
            refuse("\(path).seccompProfile.type", "must be RuntimeDefault or Localhost under the baseline level")
        }
        for (index, sysctl) in (spec["securityContext", "sysctls"]?.array ?? []).enumerated() {
            let name = sysctl["name"]?.string ?? ""
            guard !Self.sysctls.contains(name) else { continue }
            refuse("\(path).securityContext.sysctls[\(index)].name", "the sysctl \(name) is not a safe one; remove it")
        }
    }

    private mutating func hostProcess() {
        for (json, path) in securityContexts where Self.isSet(json["windowsOptions", "hostProcess"]) {
            refuse("\(path).windowsOptions.hostProcess", "pods may not be host processes; remove it")
        }
    }

    private mutating func capabilitiesOfBaseline() {
        for container in containers {
            for (index, entry) in (container.security["capabilities", "add"]?.array ?? []).enumerated() {
                let name = entry.string ?? ""
                guard !Self.capabilities.contains(name) else { continue }
                refuse(
                    "\(container.securityPath).capabilities.add[\(index)]",
                    "the capability \(name) may not be added under the baseline level; remove it")
            }
        }
    }

    private mutating func hostPortsAndHandlers() {
        for container in containers {
            for (index, port) in (container.json["ports"]?.array ?? []).enumerated() {
                guard let hostPort = port["hostPort"], hostPort != .null, hostPort != 0 else { continue }
                refuse("\(container.path).ports[\(index)].hostPort", "pods may not take ports of the node; remove it")
            }
            let handlers = [
                ["livenessProbe"], ["readinessProbe"], ["startupProbe"], ["lifecycle", "postStart"],
                ["lifecycle", "preStop"],
            ]
            for handler in handlers {
                for kind in ["httpGet", "tcpSocket"] {
                    guard let host = container.json[path: handler + [kind, "host"]]?.string, !host.isEmpty else {
                        continue
                    }
                    refuse(
                        ([container.path] + handler + [kind, "host"]).joined(separator: "."),
                        "a probe or hook may reach only its own pod; remove it")
                }
            }
        }
    }

    private mutating func appArmor() {
        for (json, path) in securityContexts where json["appArmorProfile", "type"] == "Unconfined" {
            refuse("\(path).appArmorProfile.type", "must be RuntimeDefault or Localhost under the baseline level")
        }
        for (key, value) in annotations where key.hasPrefix(Self.appArmorAnnotation) {
            let text = value.string ?? ""
            guard !text.isEmpty, text != "runtime/default", !text.hasPrefix("localhost/") else { continue }
            refuse(
                "\(metadataPath).annotations[\(key)]", "must be runtime/default or localhost/* under the baseline level"
            )
        }
    }

    private mutating func seLinux() {
        for (json, path) in securityContexts {
            guard let options = json["seLinuxOptions"] else { continue }
            if let type = options["type"]?.string, !Self.seLinuxTypes.contains(type) {
                refuse("\(path).seLinuxOptions.type", "the SELinux type \(type) is not allowed; remove it")
            }
            for field in ["user", "role"] where !(options[field]?.string ?? "").isEmpty {
                refuse("\(path).seLinuxOptions.\(field)", "may not be set under the baseline level; remove it")
            }
        }
    }

    private mutating func procMount() {
        for container in containers {
            guard let mount = container.security["procMount"]?.string, mount != "Default" else { continue }
            refuse("\(container.securityPath).procMount", "must be Default under the baseline level")
        }
    }
}
