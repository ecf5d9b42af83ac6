import JSON

/// What a container sees of Assay: environment variables, and no library to import.
public enum ContainerContract {
    /// Names with this prefix are the operator's.
    static let prefix = "ASSAY_"
    /// What the run is called: a name fit for a directory, equal in the training's containers and the server's.
    public static let run = "ASSAY_RUN"
    public static let seed = "ASSAY_SEED"
    /// Where metrics are written: the container's termination message, or of a step with outputs a file that is read with
    /// them.
    public static let metricsFile = "ASSAY_METRICS_FILE"
    /// Of a step: its parameters as a JSON object.
    static let parametersFile = "ASSAY_PARAMETERS_FILE"
    /// Of a step that has one: a directory that its attempts share, and that outlives them.
    static let checkpointDirectory = "ASSAY_CHECKPOINT_DIR"
    /// Of a test: where the candidate answers, `http://HOST:PORT`.
    public static let candidateURL = "ASSAY_CANDIDATE_URL"
    static let defaultTerminationMessagePath = "/dev/termination-log"

    /// `learningRate` becomes `ASSAY_PARAM_LEARNINGRATE`; whatever is no letter or digit becomes `_`.
    public static func variable(forParameter name: String) -> String { "ASSAY_PARAM_" + capitals(name) }

    /// Where an artifact is that the step reads: a directory.
    static func variable(forInput name: String) -> String { "ASSAY_INPUT_" + capitals(name) }

    static func inputs(_ names: [String]) -> [(name: String, value: String)] {
        names.map { (variable(forInput: $0), "\(ArtifactContainer.inputsDirectory)/\($0)") }
    }

    /// Where the step leaves an artifact: a directory.
    static func variable(forOutput name: String) -> String { "ASSAY_OUTPUT_" + capitals(name) }

    private static func capitals(_ name: String) -> String {
        let bytes = name.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 32
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Parameters:
    ///   - names: of the parameters that the container is told; all of them unless given.
    ///   - metricsFile: where it leaves metrics; its termination message unless given.
    static func training(
        run: String, spec: TrainingJobSpec, parameters names: [String]? = nil, container: JSONValue,
        metricsFile: String? = nil
    ) -> [(name: String, value: String)] {
        var result = [(name: self.run, value: run)]
        for (name, value) in spec.parameters.sorted(by: { $0.key < $1.key }) where names?.contains(name) ?? true {
            result.append((variable(forParameter: name), value))
        }
        if let seed = spec.seed { result.append((self.seed, String(seed))) }
        let path = container["terminationMessagePath"]?.string ?? ""
        result.append((self.metricsFile, metricsFile ?? (path.isEmpty ? defaultTerminationMessagePath : path)))
        return result
    }
}
