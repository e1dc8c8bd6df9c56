// The intent and the entities of commands, with two packages and several threads, in C++17:
//
//     understand intents.eptf entities.eptf "set a timer for ten minutes" "call Anna"
//     understand both.eptf "set a timer for ten minutes" "call Anna"
//
// A package that classifies and tags runs its encoder once for both answers.
// All threads share a Runner. An Answer holds the memory of one answer, so each thread has its own.
#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "edge_ptf.hpp"

namespace {

// "intent <tab> TYPE=words, TYPE=words <tab> text". The strings of an Answer are valid until its next use, so they are
// copied. Without `tagger` the second head of `intent` gives the entities.
std::string understood(edge_ptf::Answer& intent, edge_ptf::Answer* tagger, std::string_view text) {
  std::string line(intent.ask(text).label());
  line += '\t';
  const char* separator = "";
  const auto entities = tagger == nullptr ? intent.answers(1) : tagger->ask(text).answers();
  for (const edge_ptf_item& entity : entities) {
    // Positions in bytes. begin_character and end_character are the same in code points.
    line.append(separator).append(entity.label).append("=");
    line.append(text.substr(entity.begin_byte, entity.end_byte - entity.begin_byte));
    separator = ", ";
  }
  return line.append("\t").append(text);
}

// Returns false if there is no text.
bool run(const std::vector<std::string>& words) {
  const edge_ptf::Runner intents(words.at(0));
  std::optional<edge_ptf::Runner> tagger;
  const bool both = intents.head_count() == 2;
  if (words.size() < (both ? 2 : 3)) {
    return false;
  }
  if (!both) {
    tagger.emplace(words[1]);
  }
  const edge_ptf_head entities = both ? intents.head(1) : tagger->head();
  if (std::string_view(intents.head().kind) != "text" || std::string_view(entities.kind) != "token") {
    throw edge_ptf::Failure(EDGE_PTF_BAD_INPUT, "give a package that classifies, then one that tags words");
  }
  const std::vector<std::string> texts(words.begin() + (both ? 1 : 2), words.end());

  std::vector<std::string> lines(texts.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    edge_ptf::Answer intent(intents);
    std::optional<edge_ptf::Answer> tags;
    if (tagger) {
      tags.emplace(*tagger);
    }
    for (size_t i = next++; i < texts.size(); i = next++) {
      lines[i] = understood(intent, tags ? &*tags : nullptr, texts[i]);
    }
  };
  const size_t processors = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::future<void>> workers;
  for (size_t i = 0; i < std::min(processors, texts.size()); ++i) {
    workers.push_back(std::async(std::launch::async, work));
  }
  for (std::future<void>& worker : workers) {
    worker.get();  // rethrows the exception of a thread
  }
  for (const std::string& line : lines) {
    std::cout << line << '\n';
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count < 2 || !run({arguments + 1, arguments + count})) {
      std::cerr << "Usage: understand INTENTS ENTITIES TEXT..., or understand BOTH TEXT...\n";
      return EDGE_PTF_BAD_INPUT;
    }
    return EDGE_PTF_OK;
  } catch (const edge_ptf::Failure& failure) {
    std::cerr << "understand: " << failure.what() << '\n';
    return failure.status();
  } catch (const std::exception& error) {
    std::cerr << "understand: " << error.what() << '\n';
    return EDGE_PTF_INTERNAL;
  }
}
