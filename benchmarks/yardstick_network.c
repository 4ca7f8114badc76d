/* The yardstick for networks: the default run of a3c_tut on cart-pole, written in C for speed.
 *
 * The same algorithm with the same numbers: N workers in turn, two hidden layers of tanh that actor
 * and critic share, rollouts of at most n steps, lambda-advantages, backpropagation, one clipping
 * norm, RMSprop with shared statistics, step sizes annealed to 0, a row logged per update and per
 * episode. Settings come from the compiler's command line (-DN=2 ...), the first weights from stdin.
 *
 * usage: yardstick_network TOTAL_STEPS < streams (a line per worker), then the weights
 * prints: updates episodes seconds, then the weights, one a line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "portable.h"

enum { D = 4, H = 32, A = 2, LIMIT = 500 };
enum { ONE = 0, TWO = ONE + (D + 1) * H, POLICY = TWO + (H + 1) * H, VALUE = POLICY + (H + 1) * A };
enum { P = VALUE + H + 1 };

typedef struct { int32_t worker; int64_t step, staleness; double norm, entropy, rate; } Update;
typedef struct { int32_t worker; double total; int64_t length, step; char truncated; } Episode;
typedef struct {
  double w[P], walker[D], episode_return;
  int episode_steps;
  int64_t synced_at;
  Stream stream;
} Worker;

static double shared[P], square[P], first[P];
static Worker workers[N];
static Update *updates;
static Episode *episodes;
static int64_t num_updates, num_episodes;

static inline void dense(const double *w, const double *x, int m, double *y, int n) {
  for (int j = 0; j < n; j++) y[j] = w[m * n + j];
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) y[j] += x[i] * w[i * n + j];
}

static inline void dense_gradient(double *g, const double *x, int m, const double *delta, int n) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) g[i * n + j] += x[i] * delta[j];
  for (int j = 0; j < n; j++) g[m * n + j] += delta[j];
}

static int move(double *walker, int choice) {
  const double total = 1.0 + 0.1, tick = 0.02;
  double spin = walker[3], cosine = own_sin_of(walker[2], 1), sine = own_sin_of(walker[2], 0);
  double forced = ((choice == 1 ? 10.0 : -10.0) + 0.1 * 0.5 * (spin * spin) * sine) / total;
  double angular = (9.8 * sine - cosine * forced) /
                   (0.5 * (4.0 / 3.0 - 0.1 * (cosine * cosine) / total));
  double linear = forced - 0.1 * 0.5 * angular * cosine / total;
  walker[0] += tick * walker[1];
  walker[1] += tick * linear;
  walker[2] += tick * spin;
  walker[3] += tick * angular;
  return fabs(walker[0]) > 2.4 || fabs(walker[2]) > 12.0 * 2.0 * 3.141592653589793 / 360.0;
}

static void run(int64_t total_steps) {
  static double seen[T_MAX + 1][D], one[T_MAX + 1][H], two[T_MAX + 1][H], values[T_MAX + 1];
  static double p[T_MAX][A], log_p[T_MAX][A], g[P], turned[H * H];
  int64_t steps = 0;
  for (int id = 0; steps < total_steps; id = id + 1 == N ? 0 : id + 1) {
    Worker *w = &workers[id];
    double walker[D], rewards[T_MAX], total_reward = 0.0;
    int actions[T_MAX], length = 0, terminated = 0, truncated = 0;
    memcpy(walker, w->walker, sizeof walker);
    if (w->episode_steps == 0)
      for (int i = 0; i < D; i++) walker[i] = 0.1 * uniform(&w->stream) - 0.05;
    for (int t = 0;; t++) {
      memcpy(seen[t], walker, sizeof walker);
      dense(w->w + ONE, seen[t], D, one[t], H);
      for (int j = 0; j < H; j++) one[t][j] = own_tanh(one[t][j]);
      dense(w->w + TWO, one[t], H, two[t], H);
      for (int j = 0; j < H; j++) two[t][j] = own_tanh(two[t][j]);
      dense(w->w + VALUE, two[t], H, &values[t], 1);
      if (t == T_MAX || terminated || truncated) break;
      double z[A], total = 0.0;
      dense(w->w + POLICY, two[t], H, z, A);
      double largest = z[0] > z[1] ? z[0] : z[1];
      for (int a = 0; a < A; a++) total += p[t][a] = own_exp(z[a] - largest);
      double log_total = own_log(total);
      for (int a = 0; a < A; a++) {
        p[t][a] /= total;
        log_p[t][a] = (z[a] - largest) - log_total;
      }
      int action = uniform(&w->stream) < p[t][0] ? 0 : 1;
      if (p[t][1] == 0.0) action = 0;
      actions[t] = action;
      terminated = move(walker, action);
      rewards[t] = 1.0 * SCALE;
      total_reward += 1.0;
      length++;
      truncated = !terminated && w->episode_steps + length >= LIMIT;
    }

    double advantages[T_MAX], advantage = 0.0, following = terminated ? 0.0 : values[length];
    for (int t = length - 1; t >= 0; t--) {
      advantage = rewards[t] + GAMMA * following - values[t] + GAMMA * LAMBDA * advantage;
      advantages[t] = advantage;
      following = values[t];
    }
    memset(g, 0, sizeof g);
    for (int i = 0; i < H; i++)
      for (int j = 0; j < H; j++) turned[j * H + i] = w->w[TWO + i * H + j];
    double total_entropy = 0.0;
    for (int t = 0; t < length; t++) {
      double h = 0.0, out[A], delta[H], below[H], value = CRITIC_LR / ACTOR_LR * advantages[t];
      for (int a = 0; a < A; a++) if (p[t][a] > 0.0) h -= p[t][a] * log_p[t][a];
      for (int a = 0; a < A; a++)
        out[a] = p[t][a] > 0.0
          ? -(p[t][a] * advantages[t] + BETA * (p[t][a] * (log_p[t][a] + h))) : 0.0;
      out[actions[t]] += advantages[t];
      total_entropy += h;
      dense_gradient(g + POLICY, two[t], H, out, A);
      dense_gradient(g + VALUE, two[t], H, &value, 1);
      for (int i = 0; i < H; i++) {
        double sum = 0.0;
        for (int a = 0; a < A; a++) sum += w->w[POLICY + i * A + a] * out[a];
        delta[i] = (sum + w->w[VALUE + i] * value) * (1.0 - two[t][i] * two[t][i]);
        below[i] = 0.0;
      }
      dense_gradient(g + TWO, one[t], H, delta, H);
      for (int j = 0; j < H; j++)
        for (int i = 0; i < H; i++) below[i] += turned[j * H + i] * delta[j];
      for (int i = 0; i < H; i++) delta[i] = below[i] * (1.0 - one[t][i] * one[t][i]);
      dense_gradient(g + ONE, seen[t], D, delta, H);
    }
    double norm = 0.0;
    for (int i = 0; i < P; i++) norm += g[i] * g[i];
    norm = sqrt(norm);
    if (norm > MAX_NORM)
      for (int i = 0; i < P; i++) g[i] *= MAX_NORM / norm;

    double rate = ACTOR_LR * fmax(0.0, 1.0 - (double)steps / total_steps);
    for (int i = 0; i < P; i++) {
      square[i] = DECAY * square[i] + (1.0 - DECAY) * g[i] * g[i];
      shared[i] += rate * g[i] / sqrt(square[i] + EPSILON);
    }
    steps += length;
    updates[num_updates] = (Update){id, steps, num_updates - w->synced_at, norm,
                                    total_entropy / length, rate};
    num_updates++;
    memcpy(w->w, shared, sizeof shared);
    w->synced_at = num_updates;
    memcpy(w->walker, walker, sizeof walker);
    w->episode_steps += length;
    w->episode_return += total_reward;
    if (terminated || truncated) {
      episodes[num_episodes++] =
          (Episode){id, w->episode_return, w->episode_steps, steps, (char)truncated};
      w->episode_steps = 0;
      w->episode_return = 0.0;
    }
  }
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  int64_t total_steps = atoll(arguments[1]);
  Stream streams[N];
  if (!read_streams(streams, N)) return 2;
  for (int i = 0; i < P; i++) if (scanf("%lf", &first[i]) != 1) return 2;
  updates = calloc(total_steps + 1, sizeof *updates);
  episodes = calloc(total_steps + 1, sizeof *episodes);
  memcpy(shared, first, sizeof first);
  for (int i = 0; i < N; i++) {
    memcpy(workers[i].w, first, sizeof first);
    workers[i].stream = streams[i];
  }
  struct timespec begun, done;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  run(total_steps);
  clock_gettime(CLOCK_MONOTONIC, &done);
  printf("%lld %lld %.9f\n", (long long)num_updates, (long long)num_episodes,
         (done.tv_sec - begun.tv_sec) + 1e-9 * (done.tv_nsec - begun.tv_nsec));
  for (int i = 0; i < P; i++) printf("%.17g\n", shared[i]);
  return 0;
}
