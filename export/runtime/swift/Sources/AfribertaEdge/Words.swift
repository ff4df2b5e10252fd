/// The words of `text` in order; any string is fine, blank text has none.
public func splitWords(_ text: String) -> [Word] {
    splitWords(ReadText(text))
}

func splitWords(_ text: ReadText) -> [Word] {
    var words: [Word] = []
    var start = 0
    while start < text.classes.count {
        let end = WordRule.end(text.classes, start)
        if end > start { words.append(text.word(start..<end)) }
        start = max(end, start + 1)
    }
    return words
}

/// The rule of export/runtime/words.py, over class letters:
///
///     RUN   (?:[a-zM]+|D+(?:[FN]D+)*)(?:[XV]*(?:[a-zM]+|D+(?:[FN]D+)*))*
///     RULE  A?RUN(?:ARUN)*(?:A(?!A))?|AA+|FFF|[PAFN][MV]*
///
/// By hand, since NSRegularExpression takes no match for an answer when its stack is full, on long text. No choice
/// in the rule is ever taken back, so reading once from left to right finds what a regular expression finds.
private enum WordRule {
    private typealias Kind = CharacterClass

    /// End of the word that begins at `start`, or `start` where none does.
    static func end(_ classes: [UInt8], _ start: Int) -> Int {
        func at(_ position: Int) -> UInt8 { position < classes.count ? classes[position] : 0 }
        func past(_ position: Int, _ matches: (UInt8) -> Bool) -> Int {
            var end = position
            while end < classes.count, matches(classes[end]) { end += 1 }
            return end
        }
        /// Of letters and marks, or of digits; `position` where there are none.
        func unit(_ position: Int) -> Int {
            if isLetter(at(position)) { return past(position, isLetter) }
            var end = past(position) { $0 == Kind.digit }
            while end > position, isNumberJoiner(at(end)), at(end + 1) == Kind.digit {
                end = past(end + 1) { $0 == Kind.digit }
            }
            return end
        }
        func run(_ position: Int) -> Int {
            var end = unit(position)
            while end > position {
                let visible = past(end) { $0 == Kind.invisible || $0 == Kind.selector }
                let more = unit(visible)
                if more == visible { break }
                end = more
            }
            return end
        }

        let begin = at(start) == Kind.apostrophe ? start + 1 : start
        var end = run(begin)
        if end > begin {
            while at(end) == Kind.apostrophe {
                let more = run(end + 1)
                if more == end + 1 { break }
                end = more
            }
            return at(end) == Kind.apostrophe && at(end + 1) != Kind.apostrophe ? end + 1 : end
        }
        let quotes = past(start) { $0 == Kind.apostrophe }
        if quotes - start > 1 { return quotes }
        if (0..<3).allSatisfy({ at(start + $0) == Kind.fullStop }) { return start + 3 }
        let isSign = [Kind.sign, Kind.apostrophe, Kind.fullStop, Kind.joiner].contains(at(start))
        return isSign ? past(start + 1) { $0 == Kind.mark || $0 == Kind.selector } : start
    }

    private static func isLetter(_ kind: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(kind) || kind == Kind.mark
    }

    private static func isNumberJoiner(_ kind: UInt8) -> Bool {
        kind == Kind.fullStop || kind == Kind.joiner
    }
}
