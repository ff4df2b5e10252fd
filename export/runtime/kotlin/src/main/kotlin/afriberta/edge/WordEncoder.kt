package afriberta.edge

import kotlinx.serialization.json.JsonElement

/**
 * One input of the model and which words it decides.
 *
 * @property inputIds with `<s>` and `</s>`
 * @property first position in [inputIds] of the first sub-word of each word of the window
 * @property words index of those words in the sentence
 * @property keep whether this window decides the word's tag
 */
class Window(val inputIds: IntArray, val first: IntArray, val words: IntArray, val keep: BooleanArray)

/**
 * The tokenizer of a bundle, applied to words: encode.py of the Python runtime tells how and why.
 *
 * @param specification the parsed tokenizer.json
 * @property maxLength of a window in sub-words, `<s>` and `</s>` included
 * @throws BundleException it is no unigram tokenizer with XLM-R's special pieces
 */
class WordEncoder(specification: JsonElement, val maxLength: Int) {
    val bosId: Int
    val eosId: Int
    private val normalize: Normalize
    private val unigram: Unigram
    private val known = HashMap<String, IntArray>()

    init {
        try {
            val special = specialIds(specification)
            bosId = special.getValue("<s>")
            eosId = special.getValue("</s>")
            normalize = readComposingNormalizer(specification["normalizer"])
            unigram = readUnigram(specification["model"], special.values)
        } catch (error: IllegalArgumentException) {
            throw damaged("tokenizer.json", reasonOf(error), error)
        }
    }

    /** Sub-word ids of a word; none for a word of invisible characters alone. */
    fun subWords(word: String): IntArray {
        synchronized(known) { known[word] }?.let { return it }
        val ids = ArrayList<Int>()
        val text = normalize(readable(word)).replace(' ', PREFIX)
        if (text.isNotEmpty()) {
            val prefixed = if (text[0] == PREFIX) text else "$PREFIX$text"
            var start = 0
            while (start < prefixed.length) {
                val end = prefixed.indexOf(PREFIX, start + 1).let { if (it < 0) prefixed.length else it }
                unigram.encode(prefixed.substring(start, end), ids)
                start = end
            }
        }
        val found = ids.toIntArray()
        if (word.length <= KNOWN_LENGTH) synchronized(known) {
            if (known.size >= KNOWN_WORDS) known.clear()
            known[word] = found
        }
        return found
    }

    /**
     * Cuts a sentence into windows of at most [maxLength] sub-words, which overlap by half; every word with sub-words
     * is kept in exactly one window.
     */
    fun windows(words: List<String>): List<Window> {
        val room = maxLength - 2
        val encoded = words.map(::subWords)
        val indices = encoded.indices.filter { encoded[it].isNotEmpty() }
        val counts = IntArray(indices.size) { minOf(encoded[indices[it]].size, room) }
        val ranges = windowRanges(counts, room)
        val keeper = keepers(counts, ranges)
        return ranges.mapIndexed { number, range ->
            val inputIds = IntArray(2 + range.sumOf { counts[it] })
            val first = IntArray(range.count())
            var at = 1
            range.forEachIndexed { position, word ->
                first[position] = at
                encoded[indices[word]].copyInto(inputIds, at, 0, counts[word])
                at += counts[word]
            }
            inputIds[0] = bosId
            inputIds[at] = eosId
            val keep = BooleanArray(first.size) { keeper[range.first + it] == number }
            Window(inputIds, first, IntArray(first.size) { indices[range.first + it] }, keep)
        }
    }

    private companion object {
        const val PREFIX = '▁'
        const val LONGEST_WORD = 8192 // code points of a word that are read
        const val KNOWN_WORDS = 4096
        const val KNOWN_LENGTH = 64
        val SPECIAL = listOf("<s>", "</s>", "<pad>", "<unk>", "<mask>")

        /** The first code points of a word, lone surrogates as U+FFFD. */
        fun readable(word: String): String {
            if (word.length <= LONGEST_WORD && word.none { it.isSurrogate() }) return word
            var count = 0
            return buildString {
                word.forEachCodePoint { code ->
                    if (count++ < LONGEST_WORD) appendCodePoint(if (code in 0xd800..0xdfff) 0xfffd else code)
                }
            }
        }

        /** Id of each of XLM-R's special tokens; `<mask>` may be absent. */
        fun specialIds(specification: JsonElement): Map<String, Int> {
            val model = specification["model"]
            val vocabulary = model["vocab"].items
            require(model["type"].text == "Unigram" && vocabulary.isNotEmpty()) { "it holds no unigram model" }
            val ids = HashMap<String, Int>()
            for (token in specification["added_tokens"].items) {
                val content = token["content"].text ?: continue
                val id = requireNotNull(token["id"].text?.toInt()) { "$content has no id" }
                if (content in SPECIAL) ids[content] = id
            }
            vocabulary.forEachIndexed { id, entry ->
                val piece = entry.items.firstOrNull().text
                if (piece != null && piece in SPECIAL) ids[piece] = id
            }
            val missing = SPECIAL.take(4).filter { it !in ids }
            require(missing.isEmpty()) { "it lacks ${missing.joinToString(" ")}" }
            return ids
        }

        fun readUnigram(model: JsonElement?, special: Collection<Int>): Unigram {
            require(model["byte_fallback"].text != "true") { "its byte fallback is not known to this runtime" }
            val entries = model["vocab"].items.map { it.items }
            val unknownId = requireNotNull(model["unk_id"].text?.toInt()) { "it lacks unk_id" }
            require(unknownId in entries.indices && entries.all { it.size == 2 && it[1].number != null }) {
                "its vocabulary is malformed"
            }
            // Text that looks like a special token stays text: a piece that holds spaces matches none, since every
            // space has become ▁.
            val pieces = entries.mapIndexed { id, entry ->
                if (id in special) " special $id " else entry[0].text.orEmpty()
            }
            return Unigram(pieces, DoubleArray(entries.size) { entries[it][1].number ?: 0.0 }, unknownId)
        }
    }
}
