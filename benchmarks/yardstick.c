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

/* The package's own exp and log (a3c_tut/engine/portable.py), so that both do the same sums. */
static inline double own_exp(double x) {
  if (x < -746.0) return 0.0;
  int k = (int)(0.5 - x * 1.4426950408889634);
  double r = (x + k * 0x1.62e42feep-1) + k * 0x1.a39ef35793c76p-33, r2 = r * r, r4 = r2 * r2;
  double series = ((1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120)))
    + r4 * (((1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880)))
    + r4 * ((1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800))));
  return ldexp(1.0 + (r + r2 * series), -k);
}

static inline double own_log(double x) {
  int e = 0;
  while (x > 1.4142135623730951 && x < INFINITY) { x *= 0.5; e++; }
  double f = x - 1.0, s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2;
  double R = z * (((2.0 / 3 + z * (2.0 / 5)) + z2 * (2.0 / 7 + z * (2.0 / 9)))
    + z4 * (((2.0 / 11 + z * (2.0 / 13)) + z2 * (2.0 / 15 + z * (2.0 / 17)))
    + z4 * (2.0 / 19 + z * (2.0 / 21))));
  double half = 0.5 * f * f;
  return e * 0x1.62e42feep-1 + (f - (half - (s * (half + R) + e * 0x1.a39ef35793c76p-33)));
}

enum { ROWS = 4, COLUMNS = 12, S = ROWS * COLUMNS, A = 4, LIMIT = 200 };
enum { RING = 64, START = S - COLUMNS, GOAL = S - 1 };

typedef unsigned __int128 u128;
typedef struct { u128 state, inc; } Stream;
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

static inline double uniform(Stream *stream) {
  const u128 multiplier = ((u128)2549297995355413924ULL << 64) | 4865540595714422341ULL;
  stream->state = stream->state * multiplier + stream->inc;
  uint64_t high = stream->state >> 64, folded = high ^ (uint64_t)stream->state;
  unsigned turn = high >> 58;
  return ((folded >> turn | folded << (-turn & 63)) >> 11) * (1.0 / 9007199254740992.0);
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
  for (int i = 0; i < N; i++) {
    unsigned long long x[4];
    if (scanf("%llu %llu %llu %llu", &x[0], &x[1], &x[2], &x[3]) != 4) return 2;
    streams[i] = (Stream){((u128)x[0] << 64) | x[1], ((u128)x[2] << 64) | x[3]};
  }
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
