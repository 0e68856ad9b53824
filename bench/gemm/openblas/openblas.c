/* openblas times cblas_sgemm on request. It reads lines
 *
 *	FORM M N K INNER GROUPS
 *
 * where FORM is NN, NT or TN, multiplies row-major matrices INNER times in each
 * of GROUPS groups, and answers with the largest error of 64 elements of the
 * product, relative to the sum of the magnitudes of their terms, and the
 * nanoseconds of every group. The arguments are the number of threads and that
 * of the clock. At its start it prints what OpenBLAS calls itself and the
 * processor.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int clock_id = CLOCK_MONOTONIC;

static double now(void) {
	struct timespec t;
	clock_gettime(clock_id, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static unsigned state = 1;

static float *matrix(size_t n) {
	float *p = aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64);
	if (p == NULL) {
		exit(1);
	}
	for (size_t i = 0; i < n; i++) {
		state = state * 1664525 + 1013904223;
		p[i] = (float)(int)state * 0x1p-31f;
	}
	return p;
}

static double error(const float *a, const float *b, const float *c, int ta, int tb, int m, int n, int k) {
	double worst = 0;
	for (int s = 0; s < 64; s++) {
		int i = (int)((size_t)s * 7919 % m), j = (int)((size_t)s * 104729 % n);
		double sum = 0, size = 0;
		for (int l = 0; l < k; l++) {
			double x = a[ta ? (size_t)l * m + i : (size_t)i * k + l];
			double y = b[tb ? (size_t)j * k + l : (size_t)l * n + j];
			sum += x * y;
			size += fabs(x * y);
		}
		double e = fabs(c[(size_t)i * n + j] - sum) / size;
		if (!(e <= worst)) {
			worst = e;
		}
	}
	return worst;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		return 2;
	}
	openblas_set_num_threads(atoi(argv[1]));
	clock_id = atoi(argv[2]);
	printf("%s; kernels: %s\n", openblas_get_config(), openblas_get_corename());
	fflush(stdout);
	char form[3];
	int m, n, k, inner, groups;
	while (scanf("%2s %d %d %d %d %d", form, &m, &n, &k, &inner, &groups) == 6) {
		int ta = form[0] == 'T', tb = form[1] == 'T';
		float *a = matrix((size_t)m * k), *b = matrix((size_t)k * n), *c = matrix((size_t)m * n);
		double *times = calloc(groups, sizeof *times);
		for (int g = -1; g < groups; g++) { /* the first group is not timed */
			double start = now();
			for (int i = 0; i < (g < 0 ? 1 : inner); i++) {
				cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
					m, n, k, 1, a, ta ? m : k, b, tb ? k : n, 0, c, n);
			}
			if (g >= 0) {
				times[g] = now() - start;
			}
		}
		printf("%g", error(a, b, c, ta, tb, m, n, k));
		for (int g = 0; g < groups; g++) {
			printf(" %.0f", times[g]);
		}
		printf("\n");
		fflush(stdout);
		free(a);
		free(b);
		free(c);
		free(times);
	}
	return 0;
}
