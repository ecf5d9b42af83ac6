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
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(file, &buffer, buffer.count)
        guard count > 0 else { return nil }
        let fields = String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let virtual = Double(fields[0]), let resident = Double(fields[1]) else { return nil }
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return (virtual * page, resident * page)
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
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
