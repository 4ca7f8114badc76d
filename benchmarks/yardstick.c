/* The yardstick: the default run of a3c_tut on the 4 x 12 cliff-world, written in C for speed.
 *
 * The same algorithm with the same numbers: N workers in turn, rollouts of at most n steps, local
 * copies refreshed from a ring of touched rows, advantages, summed gradients, one clipping norm,
 * RMSprop with shared statistics and lazy decay, a row logged per update and per episode. Sizes are
 * constants where a C programmer would make them constants. The settings are constants as well, and
 * come from the compiler's command line (-DN=3 ...), so that the defaults stand in one place, the
 * package. The random numbers are NumPy's own (PCG64), so that what it learns can be compared with
 * what Python learns.
 *
 * usage: yardstick TOTAL_STEPS REPEATS < streams   (a line per worker: state_hi state_lo inc_hi inc_lo)
 * prints: updates episodes seconds, then the logits, a state per line.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "portable.h"

enum { ROWS = 4, COLUMNS = 12, S = ROWS * COLUMNS, A = 4, LIMIT = 200 };
enum { RING = 64, START = S - COLUMNS, GOAL = S - 1 };

typedef struct { int32_t worker; int64_t step, staleness; double norm, entropy, rate; } Update;
typedef struct { int32_t worker; double total; int64_t length, step; char truncated; } Episode;
typedef struct {
  double theta[S][A], V[S], episode_return;
  int state, episode_steps;
  int64_t seen, synced_at;
  Stream stream;
} Worker;

static int next_state[S][A], ended[S][A];
static double reward[S][A];
static double theta[S][A], V[S], square_theta[S][A], square_V[S];
static int64_t last_update[S], touched[RING];
static Worker workers[N];
static Update *updates;
static Episode *episodes;

static void make_world(void) {
  static const int down[A] = {-1, 0, 1, 0}, along[A] = {0, 1, 0, -1};
  for (int s = 0; s < S; s++)
    for (int a = 0; a < A; a++) {
      int r = s / COLUMNS + down[a], c = s % COLUMNS + along[a];
      r = r < 0 ? 0 : r >= ROWS ? ROWS - 1 : r;
      c = c < 0 ? 0 : c >= COLUMNS ? COLUMNS - 1 : c;
      int to = r * COLUMNS + c;
      reward[s][a] = -1.0;
      if (to > START && to < GOAL) { to = START; reward[s][a] = -100.0; }
      next_state[s][a] = to;
      ended[s][a] = to == GOAL;
    }
}

static double decay_power(double base, int64_t count) {
  double power = 1.0;
  for (; count > 0; count >>= 1, base *= base)
    if (count & 1) power *= base;
  return power;
}

static int64_t num_updates, num_episodes;

static void run(int64_t total_steps) {
  int64_t steps = 0, pushed = 0;
  int place[S];
  memset(place, -1, sizeof place);
  num_updates = num_episodes = 0;
  for (int id = 0; steps < total_steps; id = id + 1 == N ? 0 : id + 1) {
    Worker *w = &workers[id];
    int states[T_MAX + 1], actions[T_MAX], length = 0, terminated = 0, truncated = 0;
    double rewards[T_MAX], p[T_MAX][A], log_p[T_MAX][A], total_reward = 0.0;
    int s = w->episode_steps ? w->state : START;
    states[0] = s;
    while (length < T_MAX && !terminated && !truncated) {
      double largest = w->theta[s][0], total = 0.0;
      for (int a = 1; a < A; a++) if (w->theta[s][a] > largest) largest = w->theta[s][a];
      for (int a = 0; a < A; a++) total += p[length][a] = own_exp(w->theta[s][a] - largest);
      double log_total = own_log(total);
      for (int a = 0; a < A; a++) {
        p[length][a] /= total;
        log_p[length][a] = (w->theta[s][a] - largest) - log_total;
      }
      double u = uniform(&w->stream), cumulative = 0.0;
      int action = 0;
      for (int a = 0; a < A; a++)
        if (p[length][a] > 0.0) {
          action = a;
          cumulative += p[length][a];
          if (u < cumulative) break;
        }
      actions[length] = action;
      rewards[length] = reward[s][action] * SCALE;
      total_reward += reward[s][action];
      terminated = ended[s][action];
      s = next_state[s][action];
      states[++length] = s;
      truncated = !terminated && w->episode_steps + length >= LIMIT;
    }

    double advantages[T_MAX], g_theta[T_MAX][A], g_V[T_MAX], total_entropy = 0.0;
    double ahead = terminated ? 0.0 : w->V[s];
    for (int t = length - 1; t >= 0; t--) {
      ahead = rewards[t] + GAMMA * ahead;
      advantages[t] = ahead - w->V[states[t]];
    }
    int rows[T_MAX], num_rows = 0;
    for (int t = 0; t < length; t++) {
      int row = place[states[t]];
      if (row < 0) {
        row = place[states[t]] = num_rows;
        rows[num_rows++] = states[t];
        g_V[row] = 0.0;
        memset(g_theta[row], 0, sizeof g_theta[row]);
      }
      double h = 0.0;
      for (int a = 0; a < A; a++) if (p[t][a] > 0.0) h -= p[t][a] * log_p[t][a];
      total_entropy += h;
      for (int a = 0; a < A; a++)
        if (p[t][a] > 0.0)
          g_theta[row][a] -= p[t][a] * advantages[t] + BETA * (p[t][a] * (log_p[t][a] + h));
      g_theta[row][actions[t]] += advantages[t];
      g_V[row] += advantages[t];
    }
    double norm = 0.0;
    for (int row = 0; row < num_rows; row++) {
      place[rows[row]] = -1;
      norm += g_V[row] * g_V[row];
      for (int a = 0; a < A; a++) norm += g_theta[row][a] * g_theta[row][a];
    }
    norm = sqrt(norm);
    if (norm > MAX_NORM)
      for (int row = 0; row < num_rows; row++) {
        g_V[row] *= MAX_NORM / norm;
        for (int a = 0; a < A; a++) g_theta[row][a] *= MAX_NORM / norm;
      }

    int64_t now = num_updates + 1;
    for (int row = 0; row < num_rows; row++) {
      int at = rows[row];
      double kept = DECAY * decay_power(DECAY, now - 1 - last_update[at]);
      last_update[at] = now;
      for (int a = 0; a < A; a++) {
        double g = g_theta[row][a];
        square_theta[at][a] = kept * square_theta[at][a] + (1.0 - DECAY) * g * g;
        theta[at][a] += ACTOR_LR * g / sqrt(square_theta[at][a] + EPSILON);
      }
      square_V[at] = kept * square_V[at] + (1.0 - DECAY) * g_V[row] * g_V[row];
      V[at] += CRITIC_LR * g_V[row] / sqrt(square_V[at] + EPSILON);
      touched[pushed++ & (RING - 1)] = at;
    }
    steps += length;
    updates[num_updates] = (Update){id, steps, num_updates - w->synced_at, norm,
                                    total_entropy / length, ACTOR_LR};
    num_updates++;
    if (pushed - w->seen > RING) {
      memcpy(w->theta, theta, sizeof theta);
      memcpy(w->V, V, sizeof V);
    } else
      for (int64_t i = w->seen; i < pushed; i++) {
        int at = touched[i & (RING - 1)];
        memcpy(w->theta[at], theta[at], sizeof theta[at]);
        w->V[at] = V[at];
      }
    w->seen = pushed;
    w->synced_at = num_updates;
    w->state = s;
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
  if (count != 3) return 2;
  int64_t total_steps = atoll(arguments[1]);
  int repeats = atoi(arguments[2]);
  Stream streams[N];
  if (!read_streams(streams, N)) return 2;
  updates = calloc(total_steps + 1, sizeof *updates);
  episodes = calloc(total_steps + 1, sizeof *episodes);
  make_world();
  double best = INFINITY;
  for (int repeat = 0; repeat < repeats; repeat++) {
    memset(theta, 0, sizeof theta), memset(V, 0, sizeof V);
    memset(square_theta, 0, sizeof square_theta), memset(square_V, 0, sizeof square_V);
    memset(last_update, 0, sizeof last_update), memset(workers, 0, sizeof workers);
    for (int i = 0; i < N; i++) workers[i].stream = streams[i];
    struct timespec begun, done;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    run(total_steps);
    clock_gettime(CLOCK_MONOTONIC, &done);
    double seconds = (done.tv_sec - begun.tv_sec) + 1e-9 * (done.tv_nsec - begun.tv_nsec);
    if (seconds < best) best = seconds;
  }
  printf("%lld %lld %.9f\n", (long long)num_updates, (long long)num_episodes, best);
  for (int s = 0; s < S; s++)
    for (int a = 0; a < A; a++) printf("%.17g%c", theta[s][a], a == A - 1 ? '\n' : ' ');
  return 0;
}
