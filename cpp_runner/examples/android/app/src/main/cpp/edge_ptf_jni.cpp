// The native functions of Runner.kt. They need nothing from Android, so Java on a desktop runs them too.
//
// Text travels as UTF-8 in byte arrays. The string functions of JNI accept only a "modified UTF-8", which encodes an
// emoji and a zero byte differently.
#include <jni.h>

#include <array>
#include <cstring>
#include <new>

#include "edge_ptf.h"

namespace {

// The native part of Kotlin's Runner. Only one thread at a time can call it, so one result is enough.
struct Session {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    edge_ptf_result_destroy(result);
    edge_ptf_close(runner);
  }
};

Session& at(jlong handle) {
  return *reinterpret_cast<Session*>(handle);  // NOLINT(performance-no-int-to-ptr): Java keeps a pointer as a long
}

void raise(JNIEnv* env, const char* type, const char* message) {
  // JNI does not accept UTF-8 (see above), so characters that are not ASCII are replaced.
  std::array<char, 400> plain{};
  for (size_t i = 0; i + 1 < plain.size() && message[i] != '\0'; ++i) {
    plain[i] = static_cast<signed char>(message[i]) < 0 ? '?' : message[i];
  }
  if (jclass found = env->FindClass(type)) {
    env->ThrowNew(found, plain.data());
  }
}

// If the status is not OK, Java throws when the native function returns.
bool is_ok(JNIEnv* env, edge_ptf_status status) {
  if (status != EDGE_PTF_OK) {
    raise(env, status == EDGE_PTF_BAD_INPUT ? "java/lang/IllegalArgumentException" : "java/lang/IllegalStateException",
          edge_ptf_last_error());
  }
  return status == EDGE_PTF_OK;
}

jbyteArray utf8(JNIEnv* env, const char* text) {
  if (text == nullptr) {
    return nullptr;
  }
  const auto length = static_cast<jsize>(std::strlen(text));
  jbyteArray made = env->NewByteArray(length);
  if (made != nullptr) {
    env->SetByteArrayRegion(made, 0, length, reinterpret_cast<const jbyte*>(text));
  }
  return made;
}

// An item of the answer of the first head.
edge_ptf_item item(JNIEnv* env, jlong handle, jint index) {
  edge_ptf_item found{};
  found.struct_size = sizeof found;
  is_ok(env, edge_ptf_result_item(at(handle).result, 0, EDGE_PTF_ANSWERS, static_cast<size_t>(index), &found));
  return found;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_edgeptf_Runner_nativeOpen(JNIEnv* env, jobject, jobject content, jint threads) {
  const void* start = env->GetDirectBufferAddress(content);
  if (start == nullptr) {
    raise(env, "java/lang/IllegalArgumentException", "the package is not in a direct buffer: map its file");
    return 0;
  }
  auto* session = new (std::nothrow) Session;
  if (session == nullptr) {
    raise(env, "java/lang/OutOfMemoryError", "no memory left");
    return 0;
  }
  edge_ptf_options options{};
  options.struct_size = sizeof options;
  options.threads = threads;
  const auto size = static_cast<size_t>(env->GetDirectBufferCapacity(content));
  if (!is_ok(env, edge_ptf_open_memory(start, size, &options, &session->runner)) ||
      !is_ok(env, edge_ptf_result_create(session->runner, &session->result))) {
    delete session;
    return 0;
  }
  return reinterpret_cast<jlong>(session);
}

JNIEXPORT void JNICALL Java_edgeptf_Runner_nativeClose(JNIEnv*, jobject, jlong handle) {
  delete &at(handle);
}

JNIEXPORT void JNICALL Java_edgeptf_Runner_nativeAsk(JNIEnv* env, jobject, jlong handle, jbyteArray text) {
  jbyte* bytes = env->GetByteArrayElements(text, nullptr);
  if (bytes == nullptr) {
    return;  // no memory; Java throws
  }
  const Session& session = at(handle);
  const auto length = static_cast<size_t>(env->GetArrayLength(text));
  const edge_ptf_status status =
      edge_ptf_predict(session.result, reinterpret_cast<const char*>(bytes), length, nullptr, 0);
  env->ReleaseByteArrayElements(text, bytes, JNI_ABORT);  // it was only read
  is_ok(env, status);
}

JNIEXPORT jdouble JNICALL Java_edgeptf_Runner_nativeScore(JNIEnv*, jobject, jlong handle) {
  return edge_ptf_result_score(at(handle).result, 0);
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeItemCount(JNIEnv*, jobject, jlong handle) {
  return static_cast<jint>(edge_ptf_result_count(at(handle).result, 0, EDGE_PTF_ANSWERS));
}

JNIEXPORT jbyteArray JNICALL Java_edgeptf_Runner_nativeItemLabel(JNIEnv* env, jobject, jlong handle, jint index) {
  return utf8(env, item(env, handle, index).label);
}

JNIEXPORT jdouble JNICALL Java_edgeptf_Runner_nativeItemScore(JNIEnv* env, jobject, jlong handle, jint index) {
  return item(env, handle, index).score;
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeItemFlags(JNIEnv* env, jobject, jlong handle, jint index) {
  return static_cast<jint>(item(env, handle, index).flags);
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeItemBegin(JNIEnv* env, jobject, jlong handle, jint index) {
  return static_cast<jint>(item(env, handle, index).begin_byte);
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeItemEnd(JNIEnv* env, jobject, jlong handle, jint index) {
  return static_cast<jint>(item(env, handle, index).end_byte);
}

}  // extern "C"
