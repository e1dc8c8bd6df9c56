/* edge_ptf.h: answer text with an edge-ptf package. C99 and C++.
 *
 *     edge_ptf_runner* runner = NULL;
 *     edge_ptf_result* result = NULL;
 *     edge_ptf_status status = edge_ptf_open("intents.eptf", NULL, &runner);
 *     if (status == EDGE_PTF_OK) status = edge_ptf_result_create(runner, &result);
 *     if (status == EDGE_PTF_OK) status = edge_ptf_predict(result, "turn on the lights", EDGE_PTF_TERMINATED, NULL, 0);
 *     if (status != EDGE_PTF_OK) {
 *       fprintf(stderr, "%s\n", edge_ptf_last_error());
 *     } else if (edge_ptf_result_label(result, 0) != NULL) {
 *       puts(edge_ptf_result_label(result, 0));
 *     }
 *     edge_ptf_result_destroy(result);
 *     edge_ptf_close(runner);
 *
 * Rules for every function
 *   - It returns a status, or a plain value if it cannot fail. No exception crosses this header.
 *   - After a status other than EDGE_PTF_OK, edge_ptf_last_error() on the same thread gives the reason in one line.
 *   - A NULL handle is allowed: such a call returns EDGE_PTF_BAD_INPUT, NULL or 0.
 *   - If a call fails, an out parameter for a handle is set to NULL.
 *   - Many threads may use one runner at the same time. Only one thread at a time may use a result,
 *     except for edge_ptf_cancel.
 *   - Strings are UTF-8. A const char* belongs to the handle that returned it. It is valid as long as the handle
 * exists; strings and values of a result are valid until the result is used again.
 *   - A result keeps its runner alive. The order of edge_ptf_close and edge_ptf_result_destroy does not matter.
 *   - An invalid part of a text counts as U+FFFD (each maximal invalid part of the UTF-8).
 *   - Set the struct_size of every structure to its sizeof and all other fields to 0 before the call. A program and a
 *     library of different versions then work together: missing fields are 0, and unknown fields are ignored.
 */
#ifndef EDGE_PTF_H
#define EDGE_PTF_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(EDGE_PTF_SHARED)
#if defined(EDGE_PTF_BUILDING)
#define EDGE_PTF_API __declspec(dllexport)
#else
#define EDGE_PTF_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define EDGE_PTF_API __attribute__((visibility("default")))
#else
#define EDGE_PTF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Increases when a change breaks programs that were compiled before. */
#define EDGE_PTF_ABI_VERSION 2

/* The length of a text that ends with a zero byte. */
#define EDGE_PTF_TERMINATED ((size_t)-1)

/* The exit codes of the edge-ptf tools. */
typedef enum edge_ptf_status {
  EDGE_PTF_OK = 0,
  EDGE_PTF_INTERNAL = 1,     /* internal error: please report it */
  EDGE_PTF_BAD_INPUT = 2,    /* wrong arguments, or not a package that this runner reads */
  EDGE_PTF_FAILED = 3,       /* the package differs from its manifest, or from its golden vectors */
  EDGE_PTF_ENVIRONMENT = 5,  /* no memory, or an engine or provider that is missing, too old or does not fit */
  EDGE_PTF_INTERRUPTED = 130 /* the answer was cancelled, or took longer than its deadline */
} edge_ptf_status;

typedef struct edge_ptf_runner edge_ptf_runner; /* an open package */
typedef struct edge_ptf_result edge_ptf_result; /* the memory of one answer */

enum edge_ptf_switch { EDGE_PTF_PACKAGE = 0, EDGE_PTF_ON = 1, EDGE_PTF_OFF = 2 };

/* How a package is run. A field with the value 0 means: use the setting of the package. */
typedef struct edge_ptf_options {
  size_t struct_size;
  int32_t threads;       /* threads of one inference */
  int32_t spinning;      /* EDGE_PTF_ON: waiting threads use processor time; EDGE_PTF_OFF: they sleep */
  int32_t arena;         /* EDGE_PTF_ON: the engine keeps memory between calls */
  int32_t check_digests; /* 1: compare the sha256 of every file that is used; edge_ptf_verify does this once for all */
  const char* affinity;  /* processors of the threads after the first, such as "2;3"; copied */
  int32_t deadline_ms;   /* longest time of one answer in milliseconds; 0: no deadline. See edge_ptf_cancel. */
  const char* provider;  /* execution provider of ONNX Runtime: "cpu", "cuda", "tensorrt" or "nv-tensorrt-rtx"; NULL:
                            "cpu" */
  const char* provider_library; /* a plugin of ONNX Runtime that has the provider; NULL: the provider is built in */
  const char* cache_folder;     /* where "tensorrt" and "nv-tensorrt-rtx" keep what they build; NULL: nowhere */
  const char* engine_folder;    /* where `edge-ptf build-engine` put engines of the package, which TensorRT runs without
                                   ONNX Runtime; NULL: ONNX Runtime runs the graphs */
  int32_t cuda_graphs;          /* EDGE_PTF_OFF: these engines run without CUDA graphs, so texts are not padded */
} edge_ptf_options;

/* A head answers one task. */
typedef struct edge_ptf_head {
  size_t struct_size;
  const char* name;
  const char* task; /* such as "text-classification" */
  const char* kind; /* the form of its answers, such as "text" or "token" */
  size_t label_count;
} edge_ptf_head;

/* The lists of a head's answer. A head that has no use for a list leaves it empty. */
enum edge_ptf_list {
  EDGE_PTF_ANSWERS = 0,  /* the answer itself: the label of a text; the entities of a text whose words are tagged; the
                            part of the second text that answers a question, or nothing if there is no answer; the
                            cosine of two texts with vectors, or nothing for one text */
  EDGE_PTF_SCORES = 1,   /* the answer, then every other label with its score, best first */
  EDGE_PTF_WORDS = 2,    /* every word (a run of characters that are not white space) with its label */
  EDGE_PTF_RELATIONS = 3 /* every relation between two entities of EDGE_PTF_ANSWERS: a triple */
};

enum edge_ptf_flag {
  EDGE_PTF_OUT_OF_SCOPE = 1, /* the text belongs to no class */
  EDGE_PTF_HAS_PLACE = 2,    /* the item is about a part of the text: the fields from begin_byte on are set */
  EDGE_PTF_BY_THRESHOLD = 4, /* another class is first, but it is below the threshold of the package */
  EDGE_PTF_NUMBER = 8,  /* the answer is a number: it is in score, in the unit of the data, and label is its name */
  EDGE_PTF_IN_PAIR = 16 /* the answer is a part of the second text: label is this part, and the bytes and characters are
                           those of the second text */
};

/* One item of a list. Positions are those in the text as it was given; an end is exclusive. */
typedef struct edge_ptf_item {
  size_t struct_size;
  const char* label;
  double score;   /* a probability; of an entity: the lowest of its words; of a word without a token: 1; of a relation:
                     the lowest of its own and those of its two entities; with EDGE_PTF_BY_THRESHOLD: 1 minus the largest
                     probability (of class centres: cosine); with EDGE_PTF_NUMBER: the number */
  uint32_t flags; /* a sum of edge_ptf_flag */
  size_t begin_byte, end_byte;
  size_t begin_character, end_character; /* in code points; an invalid part is one */
  size_t first_word, last_word;          /* last_word is inclusive */
  size_t subject, object;                /* of a relation: the indexes of its entities in EDGE_PTF_ANSWERS */
} edge_ptf_item;

/* An output of the model for one text: float32 values in row-major order, without the batch axis. */
typedef struct edge_ptf_tensor {
  size_t struct_size;
  const float* values;
  const size_t* shape;
  size_t rank;
} edge_ptf_tensor;

/* The time of the last answer in nanoseconds. */
typedef struct edge_ptf_timing {
  size_t struct_size;
  int64_t tokenize, engine, decode;
} edge_ptf_timing;

/* The result of edge_ptf_selftest and edge_ptf_verify. */
typedef struct edge_ptf_report {
  size_t struct_size;
  size_t files;              /* files whose size and sha256 are those of the manifest */
  size_t golden;             /* golden vectors that were answered */
  double largest_difference; /* of a value, as a share of the largest value of its tensor */
  double tolerance;          /* what the package allows for that text */
  int32_t exact;             /* 0: this processor does not compute the INT8 products exactly; values were not judged */
  int32_t tokenized;         /* 0: the package has no tokenizer tables; ids came from the golden vectors */
} edge_ptf_report;

EDGE_PTF_API uint32_t edge_ptf_abi_version(void);
EDGE_PTF_API const char* edge_ptf_version(void);        /* of this library: "major.minor.patch" */
EDGE_PTF_API const char* edge_ptf_engine_version(void); /* such as "onnxruntime 1.32.0" */

/* The reason of the last failure on this thread; empty if there was none. Valid until the next failure on this thread.
 */
EDGE_PTF_API const char* edge_ptf_last_error(void);

/* Opens a package file or its unpacked directory. `options` may be NULL. */
EDGE_PTF_API edge_ptf_status edge_ptf_open(const char* path, const edge_ptf_options* options, edge_ptf_runner** runner);

/* Opens the content of a package file, for example an Android asset. The content must begin at a multiple of four
 * bytes. It must not change until the runner is closed and all its results are destroyed. */
EDGE_PTF_API edge_ptf_status edge_ptf_open_memory(const void* content, size_t size, const edge_ptf_options* options,
                                                  edge_ptf_runner** runner);

EDGE_PTF_API void edge_ptf_close(edge_ptf_runner* runner); /* NULL is allowed */

EDGE_PTF_API const char* edge_ptf_runner_name(const edge_ptf_runner* runner);
EDGE_PTF_API const char* edge_ptf_runner_payload(const edge_ptf_runner* runner);  /* payload digest, 64 hex digits */
EDGE_PTF_API const char* edge_ptf_runner_manifest(const edge_ptf_runner* runner); /* manifest.json */
EDGE_PTF_API size_t edge_ptf_runner_max_length(const edge_ptf_runner* runner);    /* tokens, special ones included */
EDGE_PTF_API int edge_ptf_runner_takes_pairs(const edge_ptf_runner* runner);
EDGE_PTF_API int edge_ptf_runner_has_tokenizer(const edge_ptf_runner* runner); /* 0: token ids only */
EDGE_PTF_API int edge_ptf_runner_threads(const edge_ptf_runner* runner);

EDGE_PTF_API size_t edge_ptf_runner_head_count(const edge_ptf_runner* runner);
EDGE_PTF_API edge_ptf_status edge_ptf_runner_head(const edge_ptf_runner* runner, size_t index, edge_ptf_head* head);
/* NULL beyond the last label. */
EDGE_PTF_API const char* edge_ptf_runner_label(const edge_ptf_runner* runner, size_t head, size_t index);

/* Adds a class to a package of the task prototype-classification, without training: the mean of the vectors of its
 * texts is its centre. Five texts are a good start. Later answers know the class, and it is the last label. Other
 * threads may use the runner meanwhile. The name must be new, and neither empty nor with a control character. A class
 * belongs to the open runner: add it again after each edge_ptf_open. A new class does not change the threshold of
 * texts that belong to no class. */
EDGE_PTF_API edge_ptf_status edge_ptf_add_class(edge_ptf_runner* runner, const char* name, const char* const* texts,
                                                size_t count);

/* After a few answers, a result allocates no more memory. */
EDGE_PTF_API edge_ptf_status edge_ptf_result_create(const edge_ptf_runner* runner, edge_ptf_result** result);
EDGE_PTF_API void edge_ptf_result_destroy(edge_ptf_result* result); /* NULL is allowed */

/* Answers a text with every head. `pair` is the second text if the package takes pairs, otherwise NULL. A package that
 * answers with vectors takes one text or two. Lengths are in bytes. */
EDGE_PTF_API edge_ptf_status edge_ptf_predict(edge_ptf_result* result, const char* text, size_t length,
                                              const char* pair, size_t pair_length);

/* A part of a text, in bytes. `end` is exclusive. */
typedef struct edge_ptf_span {
  size_t begin, end;
} edge_ptf_span;

/* Answers a text about the relation between two of its entities. The spans must not be empty, overlap or divide a
 * character. The other way is to write the package's markers into the text and to call edge_ptf_predict, as in
 * "<e1>Anna</e1> lives in <e2>Rome</e2>". */
EDGE_PTF_API edge_ptf_status edge_ptf_predict_entities(edge_ptf_result* result, const char* text, size_t length,
                                                       edge_ptf_span first, edge_ptf_span second);

/* Stops the answer that another thread makes with this result: its call returns EDGE_PTF_INTERRUPTED. The engine looks
 * between two operators, so a long operator ends first. Without such a call nothing happens, and the next answer is
 * made. This is the only function that may be called while another thread uses the result. A deadline stops in the same
 * way; each result then has a thread of its own. Opening a package is not limited in time. */
EDGE_PTF_API edge_ptf_status edge_ptf_cancel(edge_ptf_result* result);

/* Only tokenizes. The result then has ids and types, but no answers. If a long second text is read in windows, the ids
 * of all windows follow each other. */
EDGE_PTF_API edge_ptf_status edge_ptf_tokenize(edge_ptf_result* result, const char* text, size_t length,
                                               const char* pair, size_t pair_length);

/* Answers token ids, special tokens included. `types` has `count` items too, or is NULL: all 0. A head that labels
 * words then gives tensors only. */
EDGE_PTF_API edge_ptf_status edge_ptf_predict_ids(edge_ptf_result* result, const int64_t* ids, const int64_t* types,
                                                  size_t count);

/* The shortest way to the answer of a head. The label is that of its first answer, or NULL. The score is that of its
 * answer; of tags the lowest of all words; of triples the lowest of all words and all pairs of entities; of a head that
 * answers with a number it is that number, and the label is its name. Of two texts with vectors the score is their
 * cosine, and of one text it is 1, without a label. Both are NULL and 0 before the first answer. */
EDGE_PTF_API const char* edge_ptf_result_label(const edge_ptf_result* result, size_t head);
EDGE_PTF_API double edge_ptf_result_score(const edge_ptf_result* result, size_t head);

/* Everything about the answer of a head. `list` is an edge_ptf_list, `role` the name of the output in the manifest,
 * such as "logits". */
EDGE_PTF_API size_t edge_ptf_result_count(const edge_ptf_result* result, size_t head, int list);
EDGE_PTF_API edge_ptf_status edge_ptf_result_item(const edge_ptf_result* result, size_t head, int list, size_t index,
                                                  edge_ptf_item* item);
EDGE_PTF_API edge_ptf_status edge_ptf_result_tensor(const edge_ptf_result* result, size_t head, const char* role,
                                                    edge_ptf_tensor* tensor);

/* The vector of the first (0) or the second (1) text, of a head that answers with vectors; `count` is set to its
 * length. NULL and 0: there is none. Two texts are read apart, and their cosine is the score. */
EDGE_PTF_API const float* edge_ptf_result_vector(const edge_ptf_result* result, size_t head, size_t text,
                                                 size_t* count);

/* The cosine of the first `count` numbers of two vectors, from -1 to 1; 0 if one of them has no length. It needs no
 * handle: vectors may be stored and compared later. */
EDGE_PTF_API double edge_ptf_cosine(const float* first, const float* second, size_t count);

EDGE_PTF_API const int64_t* edge_ptf_result_ids(const edge_ptf_result* result, size_t* count);
EDGE_PTF_API const int64_t* edge_ptf_result_types(const edge_ptf_result* result, size_t* count);
EDGE_PTF_API edge_ptf_status edge_ptf_result_timing(const edge_ptf_result* result, edge_ptf_timing* timing);

/* Answers the golden vectors. EDGE_PTF_FAILED: an id or an output differs. `report` may be NULL. */
EDGE_PTF_API edge_ptf_status edge_ptf_selftest(const edge_ptf_runner* runner, edge_ptf_report* report);

/* Checks the size and sha256 of every file of a package, then its golden vectors. An installer does this once. */
EDGE_PTF_API edge_ptf_status edge_ptf_verify(const char* path, const edge_ptf_options* options,
                                             edge_ptf_report* report);

#ifdef __cplusplus
}
#endif

#endif
