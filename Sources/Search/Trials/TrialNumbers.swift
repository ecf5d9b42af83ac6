/// Numbers of trials, written in few characters: `0-11,13`.
public struct TrialNumbers: Sendable, Hashable, CustomStringConvertible {
    /// Rising.
    public let numbers: [Int]

    public init(_ numbers: some Sequence<Int>) { self.numbers = Set(numbers).sorted() }

    /// Reads what `description` wrote; nil for other text.
    public init?(_ text: String) {
        var numbers: [Int] = []
        for part in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            guard first > numbers.last ?? -1, last >= first, last - first < SearchSettings.mostTrials else {
                return nil
            }
            numbers += first...last
        }
        self.numbers = numbers
        guard description == text else { return nil }
    }

    public var description: String {
        var parts: [String] = []
        var index = 0
        while index < numbers.count {
            var end = index
            while end + 1 < numbers.count, numbers[end + 1] == numbers[end] + 1 { end += 1 }
            parts.append(end == index ? "\(numbers[index])" : "\(numbers[index])-\(numbers[end])")
            index = end + 1
        }
        return parts.joined(separator: ",")
    }
}
