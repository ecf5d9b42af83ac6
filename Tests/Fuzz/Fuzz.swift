import Concurrency
import FuzzProperties

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Runs the jobs of a task on the caller's thread, which is the one that libFuzzer watches.
private final class CallersThread: TaskExecutor {
    private let jobs = Locked<[UnownedJob]>([])

    func enqueue(_ job: UnownedJob) { jobs.withLock { $0.append(job) } }

    func runAll() {
        while let job = jobs.withLock({ $0.popLast() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

private let executor = CallersThread()

private let target: FuzzTarget = {
    guard let name = getenv("FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        fatalError("FUZZ_TARGET must be one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return target
}()

/// What libFuzzer calls with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let outcome = Locked<Result<Void, any Error>?>(nil)
    Task(executorPreference: executor) {
        let result: Result<Void, any Error>
        do {
            result = .success(try await target.check(input))
        } catch {
            result = .failure(error)
        }
        outcome.withLock { $0 = result }
    }
    executor.runAll()
    switch outcome.withLock({ $0 }) {
    case .success?: return 0
    case .failure(let error)?: fatalError("\(target.rawValue): \(error)")
    case nil: fatalError("\(target.rawValue): the check waits for something outside")
    }
}
