set terminal svg size 900,400 font "sans-serif,12" background "white"
set output 'notebook.svg'
set multiplot layout 1,2
set key top right
set grid lc rgb '#dddddd'
set xlabel 'iteration'
set ylabel 'score matching loss'
plot 'loss.dat' every 20 with lines lw 2 lc rgb '#0072b2' title 'gradient descent'
set key below maxcols 2
set xlabel 'spin 0'
set ylabel 'spin 1'
plot 'samples.dat' with points pt 7 ps 0.4 lc rgb '#999999' title 'samples', \
     'ellipses.dat' index 0 with lines lw 2 lc rgb '#000000' title 'true, 1 and 2 sigma', \
     '' index 1 with lines lw 2 lc rgb '#0072b2' title 'score matching, 4000 steps', \
     '' index 2 with lines lw 2 dt 2 lc rgb '#d55e00' title 'maximum likelihood'
