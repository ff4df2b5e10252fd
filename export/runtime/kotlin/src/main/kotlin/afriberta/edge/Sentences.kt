package afriberta.edge

private val FINAL = setOf(".", "!", "?", "…", "።", "፧", "፨", "؟", "।", "...")
private const val FINAL_WITHOUT_SPACE = "።፧፨"
private const val ETHIOPIC_SEPARATOR = "፡" // two of them are how many keyboards write the full stop
private val CLOSING = "\"'’”»›)]}".map { it.toString() }.toSet()
private const val LINE_BREAKS = "\n\u000b\u000c\r\u0085\u2028\u2029"
private val ABBREVIATION = Regex("[ulo]|u[^u]{0,2}")

/**
 * The words of [text] (`splitWords(text)`), cut into sentences; together they are all words in order. sentences.py of
 * the Python runtime tells the rule.
 */
fun splitSentences(text: String, words: List<Word>): List<List<Word>> {
    val sentences = ArrayList<List<Word>>()
    var begin = 0
    for (index in 1..words.size) {
        if (index == words.size || ends(text, words, index)) {
            sentences.add(words.subList(begin, index))
            begin = index
        }
    }
    return sentences
}

/** Whether a sentence ends between words[index - 1] and words[index]. */
private fun ends(text: String, words: List<Word>, index: Int): Boolean {
    val last = words[index - 1]
    val following = words[index]
    val spaced = last.end < following.start
    if (!spaced && last.text[0] !in FINAL_WITHOUT_SPACE && last.text != ETHIOPIC_SEPARATOR) return false
    if (Characters.classes(following.text).trimStart('A').startsWith('l')) return false
    if (spaced && (last.end until following.start).any { text[it] in LINE_BREAKS }) return true
    var position = index - 1
    while (position > 0 && words[position].text in CLOSING && touches(words, position)) position--
    val sign = words[position].text
    val attached = position > 0 && touches(words, position)
    return when {
        sign == ETHIOPIC_SEPARATOR -> attached && words[position - 1].text == ETHIOPIC_SEPARATOR
        sign == "." && attached -> !isAbbreviation(words[position - 1].text)
        else -> sign in FINAL
    }
}

private fun touches(words: List<Word>, position: Int) = words[position - 1].end == words[position].start

/** Whether a full stop after this word is that of an initial or a title. */
private fun isAbbreviation(word: String) = ABBREVIATION.matches(Characters.classes(word))
