/// Whether the data was unseen on which a model was measured.
extension Gate {
    /// The field of `spec.validation`, which is a rule of its own.
    static let overlapRule = "maxOverlap"

    /// Nil where there is no holdout, and none is asked about.
    /// - Parameter holdout: the digest of the holdout that the run was measured on.
    static func overlap(
        _ independence: Independence?, holdout: String?, by validation: MLModelSpec.Validation
    ) -> Verdict? {
        guard holdout != nil || independence != nil || validation.maxOverlap != nil else { return nil }
        let most = validation.maxOverlap ?? 0
        var verdict = Verdict(
            metric: "holdout", rule: overlapRule, split: .holdout, value: nil, bound: "≤ \(Number.exact(most))",
            passed: false, why: "")
        guard let independence else {
            let why = "nobody has compared the holdout with what training has read"
            return unproven(verdict, why, by: validation)
        }
        guard independence.holdout == holdout else {
            verdict.why =
                "the comparison is of another holdout (\(short(independence.holdout))) than the metrics "
                + "(\(short(holdout)))"
            return verdict
        }
        let message = independence.message.map { "; \($0)" } ?? ""
        // What was found is true, whatever else was not compared.
        if !independence.isWithin(most) {
            verdict.evidence = .attested
            verdict.value = independence.share.map(Number.exact)
            verdict.why = "\(independence.words)\(message)"
            return verdict
        }
        guard independence.method != .unproven, let share = independence.share else {
            return unproven(verdict, independence.message ?? independence.words, by: validation)
        }
        verdict.evidence = .attested
        verdict.value = Number.exact(share)
        verdict.passed = true
        let how = independence.method == .rows ? "row by row" : "by the row-hashes that its steps have left"
        verdict.why = "\(independence.words), compared \(how)\(message)"
        return verdict
    }

    /// Then it is the author's word alone that the data was unseen.
    private static func unproven(
        _ verdict: Verdict, _ why: String, by validation: MLModelSpec.Validation
    ) -> Verdict {
        var result = verdict
        result.passed = validation.requireAttested != true
        result.why = "IndependenceUnproven\(result.passed ? "" : ", which requireAttested refuses"): \(why)"
        return result
    }
}
