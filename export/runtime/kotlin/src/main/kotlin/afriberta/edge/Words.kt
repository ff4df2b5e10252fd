package afriberta.edge

/** A word and where it stands in the text: UTF-16 units, as in Kotlin's own strings; [end] is exclusive. */
data class Word(val text: String, val start: Int, val end: Int)

/**
 * The words of [text] in order, as MasakhaNER cuts them. Any string is fine, lone surrogates included; blank text has
 * none.
 *
 * The rule is `RULE` of words.py, over class letters:
 *
 *     A?RUN(?:A RUN)*(?:A(?!A))?|AA+|FFF|[PAFN][MV]*     where RUN is ATOM(?:[XV]*ATOM)*
 *                                                        and ATOM is [a-zM]+|D+(?:[FN]D+)*
 *
 * It never has to go back, so it is written out: Java's regular expressions recurse, and a long text would overflow
 * the stack of a phone.
 */
fun splitWords(text: String): List<Word> {
    val rule = WordRule(Characters.classes(text))
    val units = unitOffsets(text, rule.letters.length)
    val words = ArrayList<Word>()
    var at = 0
    while (at < rule.letters.length) {
        val end = rule.wordEnd(at)
        if (end > at) {
            val (from, to) = if (units == null) at to end else units[at] to units[end]
            words.add(Word(text.substring(from, to), from, to))
        }
        at = maxOf(end, at + 1)
    }
    return words
}

/** Each function takes a position and returns where the match ends; at the position itself if there is none. */
private class WordRule(val letters: String) {
    fun wordEnd(at: Int): Int {
        val start = if (isA(at)) at + 1 else at
        var end = runEnd(start)
        if (end > start) {
            while (isA(end) && runEnd(end + 1) > end + 1) end = runEnd(end + 1)
            return if (isA(end) && !isA(end + 1)) end + 1 else end
        }
        if (isA(at) && isA(at + 1)) return skip(at) { it == 'A' }
        if (letters.startsWith("FFF", at)) return at + 3
        return if (letters[at] in "PAFN") skip(at + 1) { it == 'M' || it == 'V' } else at
    }

    private fun runEnd(at: Int): Int {
        var end = atomEnd(at)
        while (end > at) {
            val next = skip(end) { it == 'X' || it == 'V' }
            val further = atomEnd(next)
            if (further == next) break
            end = further
        }
        return end
    }

    private fun atomEnd(at: Int): Int {
        val letterEnd = skip(at) { it in 'a'..'z' || it == 'M' }
        if (letterEnd > at) return letterEnd
        var end = skip(at) { it == 'D' }
        while (end > at && end + 1 < letters.length && letters[end] in "FN" && letters[end + 1] == 'D') {
            end = skip(end + 1) { it == 'D' }
        }
        return end
    }

    private fun isA(at: Int) = at < letters.length && letters[at] == 'A'

    private inline fun skip(at: Int, belongs: (Char) -> Boolean): Int {
        var end = at
        while (end < letters.length && belongs(letters[end])) end++
        return end
    }
}

/** Offset in UTF-16 units of each of [points] code points and of the end; null where the two are the same. */
private fun unitOffsets(text: String, points: Int): IntArray? {
    if (points == text.length) return null
    var at = 0
    return IntArray(points + 1) { index ->
        at.also { if (index < points) at += Character.charCount(text.codePointAt(at)) }
    }
}
