#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// What Prometheus' client libraries tell of the process, read from `/proc` at each exposition.
public enum ProcessMetrics {
    /// Adds the series to a registry. Where `/proc` cannot be read they stay as they were.
    public static func add(to registry: MetricsRegistry) {
        let resident = registry.gauge("process_resident_memory_bytes")
        let virtual = registry.gauge("process_virtual_memory_bytes")
        let cpu = registry.counter("process_cpu_seconds_total")
        let descriptors = registry.gauge("process_open_fds")
        if let start = startTime() { registry.gauge("process_start_time_seconds").set(start) }
        for (name, limit) in limits() { registry.gauge(name).set(limit) }
        registry.beforeExposition {
            if let sizes = memory() {
                virtual.set(sizes.virtual)
                resident.set(sizes.resident)
            }
            cpu.set(cpuSeconds())
            if let count = openDescriptors() { descriptors.set(Double(count)) }
        }
    }

    /// `/proc/self/statm`: sizes in pages, first all, then what is resident.
    private static func memory() -> (virtual: Double, resident: Double)? {
        guard let fields = text("/proc/self/statm")?.split(separator: " ") else { return nil }
        guard fields.count > 1, let virtual = Double(fields[0]), let resident = Double(fields[1]) else { return nil }
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return (virtual * page, resident * page)
    }

    /// The first 4 kB of a file.
    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    /// `/proc/self/stat` tells the start in clock ticks since the system's: the 20th field after the program's name,
    /// which stands in parentheses and may hold anything.
    private static func startTime() -> Double? {
        guard let stat = text("/proc/self/stat"), let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[name...].split(separator: " ").dropFirst()
        guard let ticks = fields.dropFirst(19).first.flatMap({ Double($0) }) else { return nil }
        let sinceBoot = seconds(CLOCK_BOOTTIME) - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        return seconds(CLOCK_REALTIME) - sinceBoot
    }

    /// The soft limits of `/proc/self/limits`; no limit is 2⁶⁴ - 1, as Prometheus' libraries write it.
    private static func limits() -> [(name: String, limit: Double)] {
        let rows = [("Max open files", "process_max_fds"), ("Max address space", "process_virtual_memory_max_bytes")]
        return (text("/proc/self/limits") ?? "").split(separator: "\n").compactMap { line in
            guard let row = rows.first(where: { line.hasPrefix($0.0) }),
                let soft = line.dropFirst(row.0.utf8.count).split(separator: " ").first
            else { return nil }
            return Double(soft == "unlimited" ? "18446744073709551615" : soft).map { (row.1, $0) }
        }
    }

    private static func cpuSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Less ".", ".." and the directory's own descriptor.
        return max(0, count - 3)
    }
}
