private let final: Set<Unicode.Scalar> = [".", "!", "?", "…", "።", "፧", "፨", "؟", "।"]
private let finalWithoutSpace: Set<Unicode.Scalar> = ["።", "፧", "፨"]
private let wordSeparator: Unicode.Scalar = "፡"
private let closing: Set<Unicode.Scalar> = ["\"", "'", "’", "”", "»", "›", ")", "]", "}"]
private let lineBreaks: Set<Unicode.Scalar> = [
    "\n", "\u{B}", "\u{C}", "\r", "\u{85}", "\u{2028}", "\u{2029}",
]

/// The words of `text` (`splitWords(text)`), cut into sentences; together they are all words in order. The rule is
/// that of export/runtime/sentences.py.
public func splitSentences(_ text: String, _ words: [Word]) -> [[Word]] {
    splitSentences(ReadText(text), words)
}

func splitSentences(_ text: ReadText, _ words: [Word]) -> [[Word]] {
    var sentences: [[Word]] = []
    var begin = 0
    for index in words.indices.dropFirst() where sentenceEnds(text, words, index) {
        sentences.append(Array(words[begin..<index]))
        begin = index
    }
    if begin < words.count { sentences.append(Array(words[begin...])) }
    return sentences
}

/// Whether a sentence ends between words[index - 1] and words[index].
private func sentenceEnds(_ text: ReadText, _ words: [Word], _ index: Int) -> Bool {
    let (last, following) = (words[index - 1], words[index])
    let gap = last.codePoints.upperBound..<following.codePoints.lowerBound
    let first = text.scalars[last.codePoints.lowerBound]
    if gap.isEmpty, !finalWithoutSpace.contains(first), sign(last) != wordSeparator { return false }
    let letter = text.classes[following.codePoints].first { $0 != CharacterClass.apostrophe }
    if letter == CharacterClass.lower { return false }
    if text.scalars[gap].contains(where: lineBreaks.contains) { return true }

    func touches(_ position: Int) -> Bool {
        words[position - 1].bytes.upperBound == words[position].bytes.lowerBound
    }
    var position = index - 1
    while position > 0, let mark = sign(words[position]), closing.contains(mark), touches(position) { position -= 1 }
    guard let mark = sign(words[position]) else { return words[position].text.utf8.elementsEqual("...".utf8) }
    if mark == wordSeparator {  // two of them are how many keyboards write the full stop
        return position > 0 && sign(words[position - 1]) == wordSeparator && touches(position)
    }
    if mark == ".", position > 0, touches(position) {
        return !isAbbreviation(text.classes[words[position - 1].codePoints])
    }
    return final.contains(mark)
}

/// The only character of a word. Strings are not compared: to Swift, canonically equivalent ones are equal.
private func sign(_ word: Word) -> Unicode.Scalar? {
    word.codePoints.count == 1 ? word.text.unicodeScalars.first : nil
}

/// Whether a full stop after a word of these classes is that of an initial or a title: [ulo]|u[^u]{0,2}
private func isAbbreviation(_ classes: ArraySlice<UInt8>) -> Bool {
    typealias Kind = CharacterClass
    guard let first = classes.first else { return false }
    if classes.count == 1 { return [Kind.upper, Kind.lower, Kind.other].contains(first) }
    return first == Kind.upper && classes.count <= 3 && !classes.dropFirst().contains(Kind.upper)
}
