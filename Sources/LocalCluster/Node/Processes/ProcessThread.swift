import CLinux
import Concurrency
import Files
import Glibc
import JSON
import KubernetesModel

/// Starts the node's processes, copies their output and learns of their end: one thread for all of them.
///
/// It must be one thread that lives as long as the node, because the kernel kills a process marked to die with its
/// parent when the *thread* ends that started it.
final class ProcessThread: Sendable {
    /// Where a process' output goes.
    enum Output: Sendable {
        case log(path: String)
        /// Kept, up to this many bytes.
        case capture(Int)
    }

    struct Request: Sendable {
        var launch: ContainerLaunch
        var output: Output
        var onStart: @Sendable (Result<ContainerProcess, ProcessStartError>) -> Void
        /// Called once for a process that did start.
        var onEnd: @Sendable (ProcessEnd) -> Void
    }

    private enum Command: Sendable {
        case start(Request)
        case stop
    }

    private let mailbox = Locked<[Command]>([])
    private let running = Locked(0)
    private let wakeup: Int32
    private let thread: Locked<pthread_t?> = Locked(nil)

    /// - Parameters:
    ///   - executable: the `assay` program, whose `node-exec` is the child.
    init(executable: String, time: any TimeSource) throws(FileError) {
        wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeup >= 0 else { throw FileError("make", "an eventfd") }
        let poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard poll >= 0 else { throw FileError("make", "an epoll set") }
        let start = Start(
            executable: executable, time: time, poll: poll, wakeup: wakeup, mailbox: mailbox, running: running)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(start)
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                clinux_set_thread_name("processes")
                var loop = Loop(start)
                loop.run()
                return nil
            }, argument.toOpaque())
        guard code == 0 else {
            argument.release()
            throw FileError("start", "the thread of processes", code)
        }
        let started = thread
        self.thread.withLock { $0 = started }
    }

    deinit { close(wakeup) }

    /// Starts a process; returns once its program runs.
    func start(
        _ launch: ContainerLaunch, output: Output, onEnd: @escaping @Sendable (ProcessEnd) -> Void
    ) async throws(ProcessStartError) -> ContainerProcess {
        let result = await withCheckedContinuation { continuation in
            post(
                .start(
                    Request(
                        launch: launch, output: output, onStart: { continuation.resume(returning: $0) }, onEnd: onEnd)))
        }
        return try result.get()
    }

    /// Kills every process and ends the thread; returns when both have happened.
    func stop() async {
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        post(.stop)
        await BlockingThread.run { _ = pthread_join(thread, nil) }
    }

    /// How many processes there are.
    var count: Int { running.withLock { $0 } }

    private func post(_ command: Command) {
        mailbox.withLock { $0.append(command) }
        eventfd_write(wakeup, 1)
    }

    private final class Start: Sendable {
        let executable: String
        let time: any TimeSource
        let poll: Int32
        let wakeup: Int32
        let mailbox: Locked<[Command]>
        let running: Locked<Int>

        init(
            executable: String, time: any TimeSource, poll: Int32, wakeup: Int32, mailbox: Locked<[Command]>,
            running: Locked<Int>
        ) {
            self.running = running
            self.executable = executable
            self.time = time
            self.poll = poll
            self.wakeup = wakeup
            self.mailbox = mailbox
        }
    }

    /// What the thread owns.
    private struct Loop {
        private enum Source {
            case wakeup
            case end(UInt64)
            case report(UInt64)
            case output(UInt64, ContainerLog.Stream)
        }

        private struct Child {
            var request: Request
            var pid: pid_t
            var descriptor: Int32
            var report: Int32
            var streams: [Int32: ContainerLog.Stream]
            var reported: [UInt8] = []
            var log: ContainerLog?
            var captured: [UInt8] = []
            var hasStarted = false
        }

        private let start: Start
        private var sources: [Int32: Source] = [:]
        private var children: [UInt64: Child] = [:]
        private var lastID: UInt64 = 0
        private var isStopping = false
        private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

        init(_ start: Start) { self.start = start }

        mutating func run() {
            watch(start.wakeup, .wakeup)
            var events = [epoll_event](repeating: epoll_event(), count: 64)
            while !isStopping || !children.isEmpty {
                let count = epoll_wait(start.poll, &events, Int32(events.count), -1)
                for event in events.prefix(Int(max(0, count))) {
                    if let source = sources[event.data.fd] { handle(source, event.data.fd) }
                }
            }
            close(start.poll)
            buffer.deallocate()
            // Whoever posts from now on is told that it came too late.
            takeCommands()
        }

        private mutating func handle(_ source: Source, _ descriptor: Int32) {
            switch source {
            case .wakeup:
                var count: eventfd_t = 0
                eventfd_read(start.wakeup, &count)
                takeCommands()
            case .report(let id): readReport(id)
            case .output(let id, let stream): readOutput(id, descriptor, stream)
            case .end(let id): end(id)
            }
        }

        private mutating func takeCommands() {
            let commands = start.mailbox.withLock { mailbox in
                defer { mailbox = [] }
                return mailbox
            }
            for command in commands {
                switch command {
                case .start(let request):
                    if isStopping {
                        request.onStart(.failure(ProcessStartError(description: "the node is stopping")))
                    } else {
                        spawn(request)
                    }
                case .stop:
                    isStopping = true
                    for child in children.values { clinux_pidfd_send_signal(child.descriptor, SIGKILL) }
                }
            }
        }

        private mutating func watch(_ descriptor: Int32, _ source: Source) {
            sources[descriptor] = source
            var event = epoll_event(events: clinux_epollin(), data: epoll_data_t(fd: descriptor))
            epoll_ctl(start.poll, EPOLL_CTL_ADD, descriptor, &event)
        }

        private mutating func unwatch(_ descriptor: Int32) {
            guard sources.removeValue(forKey: descriptor) != nil else { return }
            epoll_ctl(start.poll, EPOLL_CTL_DEL, descriptor, nil)
            close(descriptor)
        }

        private mutating func spawn(_ request: Request) {
            do throws(ProcessStartError) {
                var log: ContainerLog?
                if case .log(let path) = request.output {
                    do throws(FileError) {
                        log = try ContainerLog(path: path)
                    } catch {
                        throw ProcessStartError(description: "open the log: \(error)")
                    }
                }
                let spawned = try SpawnedProcess(executable: start.executable, launch: request.launch)
                lastID += 1
                start.running.withLock { $0 += 1 }
                children[lastID] = Child(
                    request: request, pid: spawned.pid, descriptor: spawned.descriptor, report: spawned.report,
                    streams: [spawned.stdout: .stdout, spawned.stderr: .stderr], log: log)
                watch(spawned.report, .report(lastID))
                watch(spawned.stdout, .output(lastID, .stdout))
                watch(spawned.stderr, .output(lastID, .stderr))
                watch(spawned.descriptor, .end(lastID))
            } catch {
                request.onStart(.failure(error))
            }
        }

        private mutating func readReport(_ id: UInt64) {
            guard var child = children[id], child.report >= 0 else { return }
            while true {
                let count = read(child.report, buffer.baseAddress, buffer.count)
                if count > 0 {
                    child.reported += buffer[..<count]
                    continue
                }
                if count < 0, errno == EAGAIN || errno == EINTR {
                    children[id] = child
                    return
                }
                break
            }
            unwatch(child.report)
            child.report = -1
            var pid = child.pid
            var failure: String?
            for line in child.reported.split(separator: 0x0a) {
                do throws(JSONError) {
                    let json = try JSONValue(parsing: line)
                    if let number = json["pid"]?.int { pid = pid_t(clamping: number) }
                    if let error = json["error"]?.string { failure = error }
                } catch {
                    failure = "node-exec reported \(String(decoding: line, as: UTF8.self))"
                }
            }
            if child.reported.isEmpty { failure = "node-exec ended before it could start the command" }
            child.hasStarted = failure == nil
            children[id] = child
            if let failure {
                child.request.onStart(.failure(ProcessStartError(description: failure)))
            } else {
                // The object gets a descriptor of its own: this one is closed when the process ends.
                let descriptor = clinux_dup_above(child.descriptor, 10)
                child.request.onStart(
                    .success(ContainerProcess(id: id, initProcess: pid, descriptor: descriptor)))
            }
        }

        /// - Returns: whether there may be more to come.
        @discardableResult
        private mutating func readOutput(_ id: UInt64, _ descriptor: Int32, _ stream: ContainerLog.Stream) -> Bool {
            guard children[id] != nil else { return false }
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                let bytes = Array(buffer[..<count])
                children[id]?.log?.take(bytes[...], stream, at: now())
                if case .capture(let limit) = children[id]?.request.output {
                    let room = limit - (children[id]?.captured.count ?? 0)
                    children[id]?.captured += bytes.prefix(max(0, room))
                }
                return true
            }
            if count < 0, errno == EAGAIN || errno == EINTR { return errno == EINTR }
            children[id]?.streams[descriptor] = nil
            unwatch(descriptor)
            return false
        }

        private mutating func end(_ id: UInt64) {
            guard let pid = children[id]?.pid else { return }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return }
            // The pipes may hold more than has been read, and what the container left behind may hold them open.
            readReport(id)
            for (descriptor, stream) in children[id]?.streams ?? [:] {
                while readOutput(id, descriptor, stream) {}
            }
            guard let child = children.removeValue(forKey: id) else { return }
            start.running.withLock { $0 -= 1 }
            for descriptor in child.streams.keys { unwatch(descriptor) }
            unwatch(child.descriptor)
            if child.report >= 0 { unwatch(child.report) }
            child.log?.finish(at: now())
            if child.hasStarted {
                child.request.onEnd(ProcessEnd(exitCode: Int(clinux_exit_code(status)), output: child.captured))
            }
        }

        private func now() -> Timestamp { Timestamp(sinceEpoch: start.time.wallNow()) }
    }
}
