import CLinux
import Glibc

/// A process that the node started: the outermost `node-exec` of a container.
final class ContainerProcess: Sendable {
    let id: UInt64
    /// The first process of the container, as the host numbers it.
    let initProcess: Int32
    private let descriptor: Int32

    /// - Parameter descriptor: a pidfd, which this object then owns.
    init(id: UInt64, initProcess: Int32, descriptor: Int32) {
        self.id = id
        self.initProcess = initProcess
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Sends a signal; nothing happens where the process has ended, since the descriptor names no other.
    func signal(_ number: Int32) { clinux_pidfd_send_signal(descriptor, number) }
}

/// How a process that the node started has ended.
struct ProcessEnd: Sendable, Hashable {
    /// 128 and the signal's number for one that a signal ended.
    var exitCode: Int
    /// What it wrote, where the output was captured.
    var output: [UInt8] = []
}

/// Why a process could not be started.
struct ProcessStartError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
}
